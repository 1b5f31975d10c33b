// Connections: opening them, what they send, and the epoll round that drives them all.
#include "loadgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, STALLED_BUFFER = 4096, AWAKE_BUFFER = 1 << 20, SHOWN_LOSSES = 5 };

Connection *connections;
Topic *topics;
int connection_count, ready_count, dead_count;
static int started, in_flight, epoll;

static bool reads(const Connection *c) { return c->role != STALLED || c->state != READY || c->awake; }

static void watch(Connection *c, int operation) {
  struct epoll_event e = {.events = (reads(c) ? EPOLLIN : 0) | (c->wants_write ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, operation, c->fd, &e);
}

static void want_write(Connection *c, bool wanted) {
  if (c->wants_write == wanted) return;
  c->wants_write = wanted;
  watch(c, EPOLL_CTL_MOD);
}

void kill_connection(Connection *c, const char *why) {
  if (c->state == DEAD) return;
  if (dead_count < SHOWN_LOSSES)
    fprintf(stderr, "loadgen: connection %d (role %d) lost in state %d: %s\n", c->id, c->role, c->state, why);
  if (c->state == READY) ready_count--;
  else if (c->state != NEW) in_flight--;
  c->state = DEAD;
  dead_count++;
  close(c->fd);
  c->fd = -1;
  if (c->role == SUBSCRIBER) topics[c->topic].fan--;
}

void flush(Connection *c) {
  while (c->out.start < c->out.end) {
    ssize_t sent = send(c->fd, c->out.bytes + c->out.start, c->out.end - c->out.start, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      c->out.start += (size_t)sent;
    } else if (errno == EAGAIN) {
      want_write(c, true);
      return;
    } else if (errno != EINTR) {
      kill_connection(c, strerror(errno));
      return;
    }
  }
  c->out.start = c->out.end = 0;
  want_write(c, false);
}

static char *room(Connection *c, size_t length) {
  if (c->out.end + length > c->out.capacity) {
    c->out.capacity = (c->out.end + length) * 2 + 512;
    c->out.bytes = grow(c->out.bytes, c->out.capacity);
  }
  return c->out.bytes + c->out.end;
}

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

void put_frame(Connection *c, int opcode, const char *bytes, size_t length) {
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

// ---- opening

static bool concerns(const Step *s, const Connection *c) {
  if (s->audience == FOR_PUBLISHERS) return c->role == PUBLISHER;
  if (s->audience == FOR_SUBSCRIBERS) return c->role == SUBSCRIBER || c->role == STALLED;
  return true;
}

static void become_ready(Connection *c) {
  c->state = READY;
  c->resuming = false;
  ready_count++;
  in_flight--;
  if (c->role == STALLED) watch(c, EPOLL_CTL_MOD);
}

static const char *step_text(const Connection *c, const Step *s) {
  return c->resuming && s->audience == FOR_SUBSCRIBERS && opt.resume_frame ? opt.resume_frame : s->text;
}

// Send what the handshake says up to the next answer to wait for.
void finish_handshake(Connection *c) {
  while (c->state == STEPPING) {
    while (c->step < opt.step_count && !concerns(&opt.steps[c->step], c)) c->step++;
    if (c->step == opt.step_count) {
      become_ready(c);
      return;
    }
    if (opt.steps[c->step].wait) return;
    char cursor[96];
    snprintf(cursor, sizeof cursor, "%s:%llu", c->epoch, (unsigned long long)c->last_seq);
    Rendered r = render(step_text(c, &opt.steps[c->step]), (Subject){c->id, c->topic, cursor});
    put_frame(c, opt.binary ? 2 : 1, r.bytes, r.length);
    free(r.bytes);
    c->step++;
    flush(c);
  }
}

static void bind_source(const Connection *c) {
  if (opt.source_ips <= 1) return;
  int one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(0x7f000001u + (u32)(c->id % opt.source_ips));
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(c->fd, (struct sockaddr *)&source, sizeof source)) die("bind");
}

static void start(Connection *c) {
  int one = 1, small = STALLED_BUFFER;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (c->role == STALLED) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  bind_source(c);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  inet_pton(AF_INET, opt.host, &server.sin_addr);
  in_flight++;
  c->state = CONNECTING;
  c->wants_write = true;
  c->step = 0;
  int failed = connect(c->fd, (struct sockaddr *)&server, sizeof server);
  watch(c, EPOLL_CTL_ADD);
  if (failed && errno != EINPROGRESS) kill_connection(c, strerror(errno));
}

static void upgrade(Connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    kill_connection(c, strerror(error));
    return;
  }
  Subject subject = {c->id, c->topic, ""};
  const char *path = render_text(opt.path, subject), *headers = render_text(opt.headers, subject);
  size_t space = strlen(path) + strlen(headers) + 1024;
  int length = snprintf(room(c, space), space,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s\r\n",
                        path, opt.host, opt.port, headers, opt.subprotocol ? "Sec-WebSocket-Protocol: " : "",
                        opt.subprotocol ? opt.subprotocol : "", opt.subprotocol ? "\r\n" : "");
  c->out.end += (size_t)length;
  free((char *)path);
  free((char *)headers);
  c->state = UPGRADING;
  flush(c);
}

static Role role_of(int i) {
  if (i < opt.subscribers) return SUBSCRIBER;
  if (i < opt.subscribers + opt.stalled) return STALLED;
  return i < opt.subscribers + opt.stalled + opt.idle ? IDLE : PUBLISHER;
}

void make_connections(void) {
  int firsts[] = {0, opt.subscribers, opt.subscribers + opt.stalled, opt.subscribers + opt.stalled + opt.idle};
  connection_count = firsts[PUBLISHER] + opt.publishers;
  connections = allocate(sizeof *connections * (size_t)connection_count);
  topics = allocate(sizeof *topics * (size_t)opt.topics);
  if ((epoll = epoll_create1(0)) < 0) die("epoll");
  for (int i = 0; i < connection_count; i++) {
    Role role = role_of(i);
    int topic = (i - firsts[role]) % opt.topics;
    connections[i] = (Connection){.fd = -1, .id = i, .role = role, .topic = topic};
    topics[topic].fan += role == SUBSCRIBER;
    topics[topic].publishers += role == PUBLISHER;
  }
}

static void start_more(void) {
  while (started < connection_count && in_flight < opt.concurrency) start(&connections[started++]);
}

void connect_all(void) {
  u64 limit = now() + (u64)(opt.connect_timeout * 1e9);
  while (ready_count + dead_count < connection_count && now() < limit) {
    start_more();
    pump(now() + SECOND / 50);
  }
  if (ready_count < connection_count)
    fprintf(stderr, "loadgen: only %d of %d connections ready (%d dead)\n", ready_count, connection_count, dead_count);
}

// Cut every subscriber at the same moment.
void cut_subscribers(void) {
  for (int i = 0; i < connection_count; i++) {
    Connection *c = &connections[i];
    if (c->role != SUBSCRIBER || c->state != READY) continue;
    close(c->fd);
    ready_count--;
    c->state = NEW;
    c->in.start = c->in.end = c->out.start = c->out.end = 0;
    c->resuming = true;
  }
}

// Open all that were cut, at the same moment.
void return_subscribers(void) {
  for (int i = 0; i < connection_count; i++)
    if (connections[i].resuming && connections[i].state == NEW) start(&connections[i]);
}

void wake(Connection *c) {
  int large = AWAKE_BUFFER;
  setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  c->awake = true;
  watch(c, EPOLL_CTL_MOD);
}

// ---- the epoll round

static void serve(Connection *c, u32 events) {
  if (c->state == DEAD) return;
  if (c->state == CONNECTING) {
    upgrade(c);
    return;
  }
  bool broken = events & (EPOLLHUP | EPOLLERR);
  if (!reads(c)) {
    if (broken) kill_connection(c, "closed by the server while stalled");
    return;
  }
  if (broken || events & EPOLLIN) receive(c);
  if (c->state != DEAD && events & EPOLLOUT) flush(c);
}

// One round: wait until `until` at the longest, and serve what is ready.
void pump(u64 until) {
  static struct epoll_event ready[EVENTS];
  u64 time = now(), wait = until > time ? until - time : 0;
  struct timespec timeout = {(time_t)(wait / SECOND), (long)(wait % SECOND)};
  int n = epoll_pwait2(epoll, ready, EVENTS, &timeout, NULL);
  for (int i = 0; i < n; i++) serve(ready[i].data.ptr, ready[i].events);
}
