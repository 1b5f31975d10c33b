// The load: who publishes when, and for how long it is measured.
#include "loadgen.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FULL = 4 << 20, AT_ONCE = 256, AT_WORK = 10 };
static const u64 STALL = 2 * SECOND, ROUND = SECOND / 1000, PATIENCE = 30 * SECOND, PROBES = SECOND / 200;

static Connection **publishers;
static int publisher_count;

long fan_of(const Topic *t) {
  if (opt.answers && !opt.subscribers) return 1;
  return opt.fan >= 0 ? opt.fan : t->fan > 0 ? t->fan : 0;
}

static void find_publishers(void) {
  publishers = allocate(sizeof *publishers * (size_t)(opt.publishers + 1));
  for (int i = 0; i < connection_count; i++) {
    Connection *c = &connections[i];
    if (c->role != PUBLISHER || c->state != READY) continue;
    c->message = render(opt.publish, (Subject){c->id, c->topic, ""});
    if (opt.answers) c->sent_at = allocate(sizeof *c->sent_at * (size_t)opt.window);
    publishers[publisher_count++] = c;
  }
}

static void publish(Connection *c, u64 time) {
  Topic *t = &topics[c->topic];
  t->expected += (u64)fan_of(t);
  t->published++;
  count.published++;
  if (opt.answers) c->sent_at[c->sent % (u64)opt.window] = time;
  stamp(&c->message, time, ++c->sent);
  put_message(c, c->message.bytes, c->message.length);
}

static bool can_take(const Connection *c) { return c->state == READY && c->out.end - c->out.start < FULL; }

// ---- open loops: by the clock. The scheduled time is stamped, so waiting in the generator counts as latency.

static u64 scheduled(u64 start, double step, u64 k) { return start + (u64)(step * (double)k); }

static u64 publish_bursts(u64 start, u64 time, double step) {
  static u64 k;
  for (; scheduled(start, step, k) <= time; k++)
    for (int i = 0; i < publisher_count; i++) {
      if (!can_take(publishers[i])) continue;
      for (int b = 0; b < opt.burst; b++) publish(publishers[i], opt.send_time ? now() : scheduled(start, step, k));
      flush(publishers[i]);
    }
  return scheduled(start, step, k);
}

static u64 publish_evenly(u64 start, u64 time, double step) {
  static u64 k;
  for (; scheduled(start, step, k) <= time; k++) {
    Connection *c = publishers[k % (u64)publisher_count];
    if (!can_take(c)) continue;
    publish(c, opt.send_time ? now() : scheduled(start, step, k));
    flush(c);
  }
  return scheduled(start, step, k);
}

// ---- closed loop: by what has arrived

static long under_way(const Topic *t) {
  long fan = fan_of(t);
  return fan ? ((long)t->expected - (long)t->delivered + fan - 1) / fan : 0;
}

static void publish_window(void) {
  long window = opt.window > 0 ? opt.window : 1 << 30;
  for (int i = 0; i < publisher_count; i++) {
    Connection *c = publishers[i];
    Topic *t = &topics[c->topic];
    if (c->state != READY || c->out.start != c->out.end) continue;
    int sent = 0, most = opt.batch > 0 && opt.batch < AT_ONCE ? opt.batch : AT_ONCE;
    for (; sent < most && under_way(t) < window * t->publishers; sent++) publish(c, now());
    if (sent) flush(c);
  }
}

// A closed loop whose messages were dropped would wait for ever: give them up and count that.
static void watch_progress(u64 time) {
  static u64 last, seen;
  if (count.deliveries != seen || !last) {
    seen = count.deliveries;
    last = time;
  } else if (time - last > STALL) {
    measured.stalls++;
    last = time;
    for (int i = 0; i < opt.topics; i++) topics[i].delivered = topics[i].expected;
  }
}

// Publish what is due; when the next is due at the latest.
static u64 publish_due(u64 start, u64 time) {
  if (opt.burst) return publish_bursts(start, time, opt.interval_us * 1e3);
  if (opt.rate > 0) return publish_evenly(start, time, 1e9 / opt.rate);
  publish_window();
  watch_progress(time);
  return time + ROUND;
}

// ---- the measured time

static void begin(u64 time) {
  measured.start = time;
  measured.before = usage();
  measured.from = count;
}

static void end(void) {
  measured.after = usage();
  measured.to = count;
}

static u64 total_expected(void) {
  u64 sum = 0;
  for (int i = 0; i < opt.topics; i++) sum += topics[i].expected;
  return sum;
}

// ---- the storm: all subscribers cut at one moment, and back at the same

static u64 storm_begun;

// Whether every subscriber has what was published before the last of them was back.
static bool caught_up(void) {
  for (int i = 0; i < connection_count; i++) {
    Connection *c = &connections[i];
    if (c->role == SUBSCRIBER && c->last_number < topics[c->topic].published_when_back) return false;
  }
  return true;
}

static void note_return(double seconds) {
  if (ready_count + dead_count < connection_count) return;
  measured.storm_ready_s = seconds;
  for (int i = 0; i < opt.topics; i++) topics[i].published_when_back = topics[i].published;
}

static void storm(u64 time) {
  if (!storm_begun && time >= measured.start + (u64)(opt.storm_after * 1e9)) {
    storm_begun = time;
    cut_subscribers();
    return_subscribers();
  }
  if (!storm_begun) return;
  double seconds = (double)(time - storm_begun) / 1e9;
  if (isnan(measured.storm_ready_s)) note_return(seconds);
  else if (isnan(measured.storm_caught_up_s) && caught_up()) measured.storm_caught_up_s = seconds;
}

static u64 earlier(u64 a, u64 b) { return a < b ? a : b; }

static void load(void) {
  u64 start = now(), from = start + (u64)(opt.warmup * 1e9), until = from + (u64)(opt.duration * 1e9);
  measured.end = until;
  measured.start = until;  // nothing is measured before it begins
  bool begun = false;
  for (u64 time = start; time < until; time = now()) {
    if (!begun && time >= from) {
      begin(time);
      begun = true;
    }
    u64 next = publish_due(start, time);
    if (begun && opt.storm_after > 0) storm(time);
    pump(earlier(earlier(next, time + ROUND), until));
  }
  measured.end = now();
  end();
}

static bool is_drained(void) {
  bool storming = storm_begun && isnan(measured.storm_caught_up_s);
  return count.deliveries >= measured.expected && !storming;
}

// Whether nothing at all has come for two seconds.
static bool is_silent(void) {
  static u64 seen, last;
  u64 time = now();
  if (count.bytes != seen || !last) {
    seen = count.bytes;
    last = time;
  }
  return time - last > STALL;
}

static void drain(void) {
  measured.expected = total_expected();
  for (u64 limit = now() + (u64)(opt.drain * 1e9); now() < limit && !is_drained() && !is_silent();) {
    pump(now() + SECOND / 50);
    if (storm_begun) storm(now());
  }
}

static int complete_stalled(void) {
  int complete = 0;
  for (int i = 0; i < connection_count; i++) {
    Connection *c = &connections[i];
    complete += c->role == STALLED && c->state == READY && c->last_number == topics[c->topic].published;
  }
  return complete;
}

static void wake_stalled(void) {
  for (int i = 0; i < connection_count; i++)
    if (connections[i].role == STALLED && connections[i].state == READY) wake(&connections[i]);
  for (u64 limit = now() + (u64)(opt.wake * 1e9); now() < limit && complete_stalled() < opt.stalled && !is_silent();) pump(now() + SECOND / 50);
  measured.woken_complete = complete_stalled();
}

// ---- the absence: everything is published while the subscribers are away

static void probe(Connection *c, u64 time) {
  c->probed = time;
  put_message(c, opt.probe_frame, strlen(opt.probe_frame));
  flush(c);
}

// Publish what a publisher has left; behind the last goes a probe, whose answer tells that all was taken.
static void publish_more(Connection *c) {
  if (c->state != READY || c->out.start != c->out.end || c->sent == (u64)opt.missed) return;
  for (int i = 0; i < AT_ONCE && c->sent < (u64)opt.missed; i++) publish(c, now());
  flush(c);
  if (c->sent == (u64)opt.missed) probe(c, now());
}

// A round of publishing, some publishers at a time, so that not everything lies in sockets; how many have not finished.
static int publish_some(void) {
  int busy = 0;
  for (int i = 0; i < publisher_count; i++) {
    Connection *c = publishers[i];
    if (c->state != READY || (c->sent == (u64)opt.missed && !c->probed)) continue;
    if (busy++ < AT_WORK) publish_more(c);
  }
  return busy;
}

static void publish_missed(void) {
  u64 seen = 0, last = now();
  for (int busy, before = 0; (busy = publish_some()); before = busy) {
    pump(now() + ROUND);
    if (count.published != seen || busy != before) last = now();
    seen = count.published;
    if (now() - last > PATIENCE) {
      errno = 0;
      die("what was published is not taken");
    }
  }
}

static void come_back(void) {
  u64 start = now(), limit = start + (u64)(opt.drain * 1e9), next = start, time;
  measured.expected = total_expected();
  return_subscribers();
  for (time = start; time < limit && isnan(measured.storm_caught_up_s); time = now()) {
    double seconds = (double)(time - start) / 1e9;
    if (isnan(measured.storm_ready_s)) note_return(seconds);
    else if (count.deliveries >= measured.expected) measured.storm_caught_up_s = seconds;
    if (!publishers[0]->probed && time >= next) {
      probe(publishers[0], time);
      next = time + PROBES;
    }
    pump(time + ROUND);
  }
}

static void absence(void) {
  if (!opt.probe_frame) die("--missed needs --probe-frame");
  cut_subscribers();
  if (!opt.subscribers) begin(now());
  publish_missed();
  measured.filled = usage();
  if (opt.subscribers) {
    begin(now());
    come_back();
  }
  measured.end = now();
  end();
}

void run_load(void) {
  find_publishers();
  if (publisher_count && opt.missed) {
    absence();
    return;
  }
  if (!publisher_count || opt.duration <= 0) return;
  load();
  drain();
  if (opt.wake > 0) wake_stalled();
}
