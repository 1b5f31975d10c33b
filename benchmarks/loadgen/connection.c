// Connections: opening them, what they send, and the epoll round that drives them all.
#include "loadgen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, STALLED_BUFFER = 4096, AWAKE_BUFFER = 1 << 20, SHOWN_LOSSES = 5 };

Connection *connections;
Topic *topics;
int connection_count, ready_count, dead_count;
static int started, in_flight, epoll;

static bool reads(const Connection *c) { return c->role != STALLED || c->state != READY || c->awake; }

static void watch(Connection *c, int operation) {
  bool writes = c->wants_write && c->out_fd == c->fd;
  struct epoll_event e = {.events = (reads(c) ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, operation, c->fd, &e);
}

// The FIFO that is written to is watched only while there is something to wait for.
static void watch_out(Connection *c) {
  struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
  epoll_ctl(epoll, c->wants_write ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, c->out_fd, &e);
}

static void want_write(Connection *c, bool wanted) {
  if (c->wants_write == wanted) return;
  c->wants_write = wanted;
  if (c->out_fd == c->fd) watch(c, EPOLL_CTL_MOD);
  else watch_out(c);
}

static void hang_up(Connection *c) {
  let_go(c);
  if (c->out_fd != c->fd) close(c->out_fd);
  close(c->fd);
  c->fd = c->out_fd = -1;
  c->in.start = c->in.end = c->out.start = c->out.end = 0;
}

void kill_connection(Connection *c, const char *why) {
  if (c->state == DEAD) return;
  if (dead_count < SHOWN_LOSSES)
    fprintf(stderr, "loadgen: connection %d (role %d) lost in state %d: %s\n", c->id, c->role, c->state, why);
  if (c->state == READY) ready_count--;
  else if (c->state != NEW) in_flight--;
  c->state = DEAD;
  dead_count++;
  hang_up(c);
  if (c->role == SUBSCRIBER) topics[c->topic].fan--;
}

void flush(Connection *c) {
  while (c->out.start < c->out.end) {
    ssize_t sent = write(c->out_fd, c->out.bytes + c->out.start, c->out.end - c->out.start);
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

char *room(Connection *c, size_t length) {
  if (c->out.end + length > c->out.capacity) {
    c->out.capacity = (c->out.end + length) * 2 + 512;
    c->out.bytes = grow(c->out.bytes, c->out.capacity);
  }
  return c->out.bytes + c->out.end;
}

void put_message(Connection *c, const char *bytes, size_t length) { opt.framing->put(c, bytes, length); }

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
    put_message(c, r.bytes, r.length);
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

int port_of(const Connection *c) { return opt.ports[c->id % opt.port_count]; }

static int open_tcp(Connection *c) {
  int one = 1, small = STALLED_BUFFER;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (c->role == STALLED) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  bind_source(c);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(c))};
  inet_pton(AF_INET, opt.host, &server.sin_addr);
  return connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS ? errno : 0;
}

// It waits for room in the server's queue: without waiting the kernel would refuse where TCP lets one wait.
static int open_unix(Connection *c) {
  struct sockaddr_un server = {.sun_family = AF_UNIX};
  if (strlen(opt.unix_path) >= sizeof server.sun_path) die("--unix is too long");
  strcpy(server.sun_path, opt.unix_path);
  if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) die("socket");
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server)) return errno;
  return fcntl(c->fd, F_SETFL, O_NONBLOCK) ? errno : 0;
}

static void start(Connection *c) {
  int failed = 0;
  c->held = -1;
  if (opt.fifos) open_fifos(c);
  else failed = opt.unix_path ? open_unix(c) : open_tcp(c);
  if (!opt.fifos) c->out_fd = c->fd;
  in_flight++;
  c->state = CONNECTING;
  c->wants_write = true;
  c->greeted = false;
  c->step = 0;
  watch(c, EPOLL_CTL_ADD);
  if (c->out_fd != c->fd) watch_out(c);
  if (failed) kill_connection(c, strerror(failed));
}

static void greet(Connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    kill_connection(c, strerror(error));
    return;
  }
  c->state = STEPPING;
  opt.framing->greet(c);
  flush(c);
  finish_handshake(c);
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
    connections[i] = (Connection){.fd = -1, .out_fd = -1, .held = -1, .id = i, .role = role, .topic = topic};
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
    hang_up(c);
    ready_count--;
    c->state = NEW;
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
    greet(c);
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
