// What servers send: the messages of connections, and the published ones inside them, counted by their marker.
#include "loadgen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 19, WORK_SIZE = LARGEST_MESSAGE + READ_SIZE, LONG_REST = 1 << 18, STAMP_DIGITS = 19, NUMBER_DIGITS = 10 };

Counters count;
static char *work;

static void *find(const char *text, size_t length, const char *wanted) {
  return wanted ? memmem(text, length, wanted, strlen(wanted)) : NULL;
}

static u64 read_number(const char *at, int digits) {
  u64 value = 0;
  for (int i = 0; i < digits; i++) value = value * 10 + (u64)(u8)(at[i] - '0');
  return value;
}

// Only where one connection publishes a topic do its numbers tell whether something is missing.
static void check_order(Connection *c, u64 number) {
  if (topics[c->topic].publishers != 1 || opt.fan >= 0) return;
  bool broken = c->last_number && number != c->last_number + 1;
  if (broken && c->role == SUBSCRIBER) count.order_errors++;
  if (broken && c->role == STALLED && !c->gap_seen) count.silent_losses++;
  c->gap_seen = false;
  c->last_number = number;
}

static void deliver(Connection *c, u64 stamped, u64 number, u64 time) {
  if (number) check_order(c, number);
  if (c->role != SUBSCRIBER) return;
  count.deliveries++;
  topics[c->topic].delivered++;
  if (stamped >= measured.start && stamped < measured.end) add_latency(time > stamped ? time - stamped : 0);
}

// Every marked message of a frame; how many there were.
static int deliver_all(Connection *c, const char *at, const char *end, u64 time) {
  size_t marker = strlen(opt.marker);
  int found = 0;
  while (end > at && (at = memchr(at, opt.marker[0], (size_t)(end - at))) && (size_t)(end - at) >= marker + STAMP_DIGITS) {
    if (memcmp(at, opt.marker, marker)) {
      at++;
      continue;
    }
    u64 stamped = read_number(at += marker, STAMP_DIGITS), number = 0;
    at += STAMP_DIGITS;
    if (end - at > NUMBER_DIGITS && *at == ':') number = read_number(++at, NUMBER_DIGITS);
    deliver(c, stamped, number, time);
    found++;
  }
  return found;
}

// Where the connection stands in the server's log. What a resuming one is told before its subscribe does not count.
static void follow_cursor(Connection *c, const char *bytes, size_t length, bool event) {
  const char *key = event ? opt.seq_key : opt.cursor_key, *at = find(bytes, length, key);
  if (!at || (c->resuming && c->state != READY && !event)) return;
  at += strlen(key);
  size_t epoch = 0;
  if (!event) {
    epoch = strcspn(at, ":\"");
    if (epoch >= sizeof c->epoch) return;
    memcpy(c->epoch, at, epoch);
    c->epoch[epoch] = 0;
  }
  u64 seq = strtoull(at + epoch + !event, NULL, 10);
  if (event && c->role == SUBSCRIBER && seq <= c->last_seq) count.order_errors++;
  c->last_seq = seq;
}

// Answers come in the order of what they answer. Where nobody subscribes, they are what a closed loop waits for.
static void note_answer(Connection *c, u64 time) {
  count.answers++;
  if (opt.subscribers) return;
  u64 sent = c->sent_at[c->answered++ % (u64)opt.window];
  count.deliveries++;
  topics[c->topic].delivered++;
  if (sent >= measured.start && sent < measured.end) add_latency(time - sent);
}

static void note_other(Connection *c, const char *bytes, size_t length, u64 time) {
  count.others++;
  if (c->role == PUBLISHER && find(bytes, length, opt.answers)) note_answer(c, time);
  if (find(bytes, length, opt.gap_marker)) {
    count.gaps++;
    c->gap_seen = true;
  }
  if (find(bytes, length, opt.error_marker) && count.errors++ < 3)
    fprintf(stderr, "loadgen: connection %d was told: %.*s\n", c->id, (int)(length < 300 ? length : 300), bytes);
}

static bool is_awaited(Connection *c, const char *bytes, size_t length) {
  if (c->state != STEPPING || c->step >= opt.step_count || !opt.steps[c->step].wait) return false;
  return find(bytes, length, opt.steps[c->step].text) != NULL;
}

void on_message(Connection *c, const char *bytes, size_t length, u64 time) {
  count.frames++;
  size_t asked = opt.reply_from ? strlen(opt.reply_from) : 0;
  if (asked && length >= asked && !memcmp(bytes, opt.reply_from, asked)) {
    put_message(c, opt.reply_to, strlen(opt.reply_to));
    flush(c);
    if (length == asked) return;
  }
  if (c->probed && find(bytes, length, opt.probe_wait)) {
    if (measured.start) add_latency(time - c->probed);
    c->probed = 0;
    return;
  }
  bool listens = c->role == SUBSCRIBER || c->role == STALLED, event = listens && deliver_all(c, bytes, bytes + length, time);
  if (opt.cursor_key) follow_cursor(c, bytes, length, event);
  if (is_awaited(c, bytes, length)) {
    c->step++;
    finish_handshake(c);
  } else if (!event) {
    note_other(c, bytes, length, time);
  }
}

static void keep(Connection *c, const char *at, size_t length) {
  if (length > c->in.capacity) {
    c->in.capacity = length * 2;
    c->in.bytes = grow(c->in.bytes, c->in.capacity);
  }
  if (length) memcpy(c->in.bytes, at, length);
  c->in.end = length;
}

void receive(Connection *c) {
  if (!work) work = allocate(WORK_SIZE + 64);
  if (c->in.end) memcpy(work, c->in.bytes, c->in.end);
  size_t space = (c->in.end > LONG_REST ? WORK_SIZE : READ_SIZE) - c->in.end;
  ssize_t got = read(c->fd, work + c->in.end, space);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) kill_connection(c, got ? strerror(errno) : "end of stream");
    return;
  }
  count.reads++;
  count.bytes += (u64)got;
  const char *end = work + c->in.end + got, *at = c->held < 0 ? work : take_acceptance(c, work);
  at = opt.framing->take(c, at, end, now());
  if (c->state != DEAD) keep(c, at, (size_t)(end - at));
}
