// The framings, as a table. What the WebSocket needs is in its own file; the other two are here.
#include "loadgen.h"

#include <string.h>

enum { LENGTH_BYTES = 4 };
static const char PREFACE[] = "SWARM/1\n";

static void put_bytes(Connection *c, const char *bytes, size_t length) {
  memcpy(room(c, length), bytes, length);
  c->out.end += length;
}

// ---- swarm: a preface in both directions, then for each message its length in 32 bits, and its bytes

static void put_preface(Connection *c) { put_bytes(c, PREFACE, strlen(PREFACE)); }

static void put_swarm_frame(Connection *c, const char *bytes, size_t length) {
  u8 head[LENGTH_BYTES] = {(u8)(length >> 24), (u8)(length >> 16), (u8)(length >> 8), (u8)length};
  put_bytes(c, (char *)head, sizeof head);
  put_bytes(c, bytes, length);
}

static u32 length_at(const char *at) {
  return (u32)(u8)at[0] << 24 | (u32)(u8)at[1] << 16 | (u32)(u8)at[2] << 8 | (u8)at[3];
}

// The server's preface; where it ends, or NULL while it is not all there.
static const char *take_preface(Connection *c, const char *at, const char *end) {
  if ((size_t)(end - at) < strlen(PREFACE)) return NULL;
  if (memcmp(at, PREFACE, strlen(PREFACE))) kill_connection(c, "no preface");
  c->greeted = true;
  return at + strlen(PREFACE);
}

static const char *take_swarm_frames(Connection *c, const char *at, const char *end, u64 time) {
  if (!c->greeted) {
    const char *rest = take_preface(c, at, end);
    if (!rest) return at;
    at = rest;
  }
  while (end - at >= LENGTH_BYTES && c->state != DEAD) {
    size_t length = length_at(at);
    if (length > LARGEST_MESSAGE) {
      kill_connection(c, "too large a frame");
      break;
    }
    if ((size_t)(end - at) < LENGTH_BYTES + length) break;
    on_message(c, at + LENGTH_BYTES, length, time);
    at += LENGTH_BYTES + length;
  }
  return at;
}

// ---- lines: each is a message, line end included; templates bring theirs

static void put_nothing(Connection *c) { (void)c; }

static const char *take_lines(Connection *c, const char *at, const char *end, u64 time) {
  for (const char *stop; c->state != DEAD && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1)
    on_message(c, at, (size_t)(stop + 1 - at), time);
  return at;
}

static const Framing FRAMINGS[] = {
    {"websocket", ask_for_upgrade, put_websocket_frame, take_websocket_frames},
    {"swarm", put_preface, put_swarm_frame, take_swarm_frames},
    {"lines", put_nothing, put_bytes, take_lines},
};

const Framing *framing_named(const char *name) {
  for (size_t i = 0; i < sizeof FRAMINGS / sizeof *FRAMINGS; i++)
    if (!strcmp(FRAMINGS[i].name, name)) return &FRAMINGS[i];
  return NULL;
}
