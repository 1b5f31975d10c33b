// The WebSocket: asking for the upgrade, frames that a client masks, and frames as a server sends them.
#include "loadgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, MOST_CONTROL = 125 };

void ask_for_upgrade(Connection *c) {
  Subject subject = {c->id, c->topic, ""};
  const char *path = render_text(opt.path, subject), *headers = render_text(opt.headers, subject);
  size_t space = strlen(path) + strlen(headers) + 1024;
  int length = snprintf(room(c, space), space,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s\r\n",
                        path, opt.host, port_of(c), headers, opt.subprotocol ? "Sec-WebSocket-Protocol: " : "",
                        opt.subprotocol ? opt.subprotocol : "", opt.subprotocol ? "\r\n" : "");
  c->out.end += (size_t)length;
  free((char *)path);
  free((char *)headers);
  c->state = UPGRADING;
}

// ---- sending

static char *put_header(char *at, int opcode, size_t length) {
  *at++ = (char)(0x80 | opcode);
  if (length < 126) {
    *at++ = (char)(0x80 | length);
    return at;
  }
  int bytes = length < 65536 ? 2 : 8;
  *at++ = (char)(0x80 | (bytes == 2 ? 126 : 127));
  for (int i = bytes - 1; i >= 0; i--) *at++ = (char)((u64)length >> (8 * i));
  return at;
}

static u32 next_mask(void) {
  static u32 state = 0x9e3779b9;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state | 0x01010101;
}

static void put_frame(Connection *c, int opcode, const char *bytes, size_t length) {
  char *start = room(c, length + 14), *at = put_header(start, opcode, length);
  u32 mask = next_mask();
  u64 wide = ((u64)mask << 32) | mask;
  memcpy(at, &mask, 4);
  at += 4;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    u64 word;
    memcpy(&word, bytes + i, 8);
    word ^= wide;
    memcpy(at + i, &word, 8);
  }
  for (; i < length; i++) at[i] = (char)(bytes[i] ^ ((char *)&mask)[i & 3]);
  c->out.end += (size_t)(at - start) + length;
}

void put_websocket_frame(Connection *c, const char *bytes, size_t length) {
  put_frame(c, opt.binary ? BINARY : TEXT, bytes, length);
}

// ---- receiving

static void on_frame(Connection *c, int opcode, const char *bytes, size_t length, u64 time) {
  if (opcode == CLOSE) {
    if (count.closes++ < 5) fprintf(stderr, "loadgen: closed with %d\n", length >= 2 ? (u8)bytes[0] << 8 | (u8)bytes[1] : 0);
  } else if (opcode == PING) {
    put_frame(c, PONG, bytes, length < MOST_CONTROL ? length : MOST_CONTROL);
    flush(c);
  } else if (opcode != PONG) {
    on_message(c, bytes, length, time);
  }
}

// The frames that are whole; where the rest begins.
static const char *take_frames(Connection *c, const char *at, const char *end, u64 time) {
  while (end - at >= 2 && c->state != DEAD) {
    size_t length = (u8)at[1] & 127, extended = length == 126 ? 2 : length == 127 ? 8 : 0, head = 2 + extended;
    if ((size_t)(end - at) < head) break;
    if (extended) length = 0;
    for (size_t i = 0; i < extended; i++) length = length << 8 | (u8)at[2 + i];
    if ((u8)at[1] & 128 || length > LARGEST_MESSAGE) {
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
  char *stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
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

const char *take_websocket_frames(Connection *c, const char *at, const char *end, u64 time) {
  if (c->state != UPGRADING) return take_frames(c, at, end, time);
  const char *rest = take_upgrade(c, at, end);
  return rest ? take_frames(c, rest, end, time) : at;
}
