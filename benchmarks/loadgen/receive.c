// What servers send: the upgrade's answer, frames, and the messages inside them, counted by their marker.
#include "loadgen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 1 << 19, WORK_SIZE = 1 << 22, LONG_REST = 1 << 18, STAMP_DIGITS = 19, NUMBER_DIGITS = 10 };
enum { CLOSE = 8, PING = 9, PONG = 10 };

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

static void on_text(Connection *c, const char *bytes, size_t length, u64 time) {
  count.frames++;
  size_t asked = opt.reply_from ? strlen(opt.reply_from) : 0;
  if (asked && length >= asked && !memcmp(bytes, opt.reply_from, asked)) {
    put_frame(c, opt.binary ? 2 : 1, opt.reply_to, strlen(opt.reply_to));
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

static void on_frame(Connection *c, int opcode, const char *bytes, size_t length, u64 time) {
  if (opcode == CLOSE) {
    if (count.closes++ < 5) fprintf(stderr, "loadgen: closed with %d\n", length >= 2 ? (u8)bytes[0] << 8 | (u8)bytes[1] : 0);
  } else if (opcode == PING) {
    put_frame(c, PONG, bytes, length < 126 ? length : 125);
    flush(c);
  } else if (opcode != PONG) {
    on_text(c, bytes, length, time);
  }
}

// The frames that are whole; where the rest begins.
static const char *take_frames(Connection *c, const char *at, const char *end, u64 time) {
  while (end - at >= 2 && c->state != DEAD) {
    size_t length = (u8)at[1] & 127, extended = length == 126 ? 2 : length == 127 ? 8 : 0, head = 2 + extended;
    if ((size_t)(end - at) < head) break;
    if (extended) length = 0;
    for (size_t i = 0; i < extended; i++) length = length << 8 | (u8)at[2 + i];
    if ((u8)at[1] & 128 || length > WORK_SIZE - READ_SIZE) {
      kill_connection(c, "masked or too large a frame");
      break;
    }
    if ((size_t)(end - at) < head + length) break;
    on_frame(c, at[0] & 15, at + head, length, time);
    at += head + length;
  }
  return at;
}

// The answer to the upgrade; where it ends, or NULL while it is not all there.
static const char *take_upgrade(Connection *c, const char *at, const char *end) {
  char *stop = find(at, (size_t)(end - at), "\r\n\r\n");
  if (!stop) return NULL;
  if (strncmp(at, "HTTP/1.1 101", 12)) {
    *stop = 0;
    fprintf(stderr, "loadgen: upgrade refused: %.300s\n", at);
    kill_connection(c, "no 101");
  } else {
    c->state = STEPPING;
    finish_handshake(c);
  }
  return stop + 4;
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
  ssize_t got = recv(c->fd, work + c->in.end, space, MSG_DONTWAIT);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) kill_connection(c, got ? strerror(errno) : "end of stream");
    return;
  }
  count.reads++;
  count.bytes += (u64)got;
  const char *at = work, *end = work + c->in.end + got;
  if (c->state == UPGRADING && !(at = take_upgrade(c, at, end))) at = work;
  else at = take_frames(c, at, end, now());
  if (c->state != DEAD) keep(c, at, (size_t)(end - at));
}
