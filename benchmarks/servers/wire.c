#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sha1.h"

enum { EVENTS = 512, READ_SIZE = 1 << 18, BACKLOG = 4096, BUCKETS = 1 << 16, MAX_NAME = 512, MAX_MESSAGE = 1 << 24 };

static int epoll;
static Topic *buckets[BUCKETS];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *grow(void *old, size_t bytes) {
  void *larger = realloc(old, bytes);
  if (!larger) fail("realloc");
  return larger;
}

void put(Buffer *b, const char *bytes, size_t length) {
  if (b->end + length > b->capacity) {
    b->capacity = (b->end + length) * 2 + 256;
    b->bytes = grow(b->bytes, b->capacity);
  }
  memcpy(b->bytes + b->end, bytes, length);
  b->end += length;
}

// ---- writing

static void want_write(Client *c, bool wanted) {
  if (c->wants_write == wanted) return;
  c->wants_write = wanted;
  struct epoll_event e = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

void keep_waiting(Client *c) { want_write(c, true); }

void send_or_keep(Client *c, const char *bytes, size_t length) {
  ssize_t sent = 0;
  if (c->out.start == c->out.end) sent = send(c->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) sent = 0;  // a broken socket is noticed by its reader
  if ((size_t)sent == length) return;
  put(&c->out, bytes + sent, length - (size_t)sent);
  want_write(c, true);
}

static void flush(Client *c) {
  while (c->out.start < c->out.end) {
    ssize_t sent = send(c->fd, c->out.bytes + c->out.start, c->out.end - c->out.start, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return;
    c->out.start += (size_t)sent;
  }
  c->out.start = c->out.end = 0;
  want_write(c, false);
}

static size_t head(char *at, size_t length) {
  at[0] = (char)0x81;
  if (length < 126) {
    at[1] = (char)length;
    return 2;
  }
  int bytes = length < 65536 ? 2 : 8;
  at[1] = bytes == 2 ? 126 : 127;
  for (int i = 0; i < bytes; i++) at[2 + i] = (char)((uint64_t)length >> (8 * (bytes - 1 - i)));
  return 2 + (size_t)bytes;
}

// ---- topics

static Topic *topic_named(const char *name, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
  Topic **bucket = &buckets[hash % BUCKETS];
  for (Topic *t = *bucket; t; t = t->next)
    if (t->name_length == length && !memcmp(t->name, name, length)) return t;
  Topic *t = calloc(1, sizeof *t);
  if (!t || !(t->name = strndup(name, length))) fail("calloc");
  t->name_length = length;
  t->next = *bucket;
  return *bucket = t;
}

static void subscribe(Client *c, Topic *t) {
  t->subscribers = grow(t->subscribers, sizeof(Client *) * (size_t)(t->subscriber_count + 1));
  t->subscribers[t->subscriber_count++] = c;
  c->topics = grow(c->topics, sizeof(Topic *) * (size_t)(c->topic_count + 1));
  c->topics[c->topic_count++] = t;
}

static void unsubscribe(Client *c) {
  for (int i = 0; i < c->topic_count; i++) {
    Topic *t = c->topics[i];
    for (int k = 0; k < t->subscriber_count; k++)
      if (t->subscribers[k] == c) t->subscribers[k--] = t->subscribers[--t->subscriber_count];
  }
}

// ---- messages

// The text between `key` and the next quote: names hold no escapes here.
static const char *text_after(const char *at, const char *end, const char *key, size_t *length) {
  const char *found = memmem(at, (size_t)(end - at), key, strlen(key));
  if (!found) return NULL;
  found += strlen(key);
  const char *quote = memchr(found, '"', (size_t)(end - found));
  if (!quote || quote - found > MAX_NAME) return NULL;
  *length = (size_t)(quote - found);
  return found;
}

static void on_publish(const char *name, size_t name_length, const char *end) {
  static char *frame;
  static size_t capacity;
  const char *data = memmem(name, (size_t)(end - name), "\"data\":", 7);
  if (!data) return;
  Topic *t = topic_named(name, name_length);
  char prefix[MAX_NAME + 100];
  int prefix_length = snprintf(prefix, sizeof prefix, "{\"type\":\"event\",\"topic\":\"%s\",\"seq\":%llu,", t->name,
                               (unsigned long long)++t->seq);
  size_t length = (size_t)prefix_length + (size_t)(end - data);
  if (length + 10 > capacity) frame = grow(frame, capacity = length * 2 + 10);
  size_t used = head(frame, length);
  memcpy(frame + used, prefix, (size_t)prefix_length);
  memcpy(frame + used + prefix_length, data, (size_t)(end - data));
  deliver(t, frame, used + length);
}

static void on_subscribe(Client *c, const char *name, size_t length) {
  char text[MAX_NAME + 100], answer[MAX_NAME + 110];
  subscribe(c, topic_named(name, length));
  int size = snprintf(text, sizeof text, "{\"type\":\"subscribed\",\"topic\":\"%.*s\"}", (int)length, name);
  size_t used = head(answer, (size_t)size);
  memcpy(answer + used, text, (size_t)size);
  send_or_keep(c, answer, used + (size_t)size);
}

static void on_message(Client *c, const char *at, size_t length) {
  size_t type_length, name_length;
  const char *end = at + length, *type = text_after(at, end, "\"type\":\"", &type_length);
  const char *name = type ? text_after(type, end, "\"topic\":\"", &name_length) : NULL;
  if (!name) return;
  if (type_length == 7 && !memcmp(type, "publish", 7)) on_publish(name, name_length, end);
  else if (type_length == 9 && !memcmp(type, "subscribe", 9)) on_subscribe(c, name, name_length);
}

// ---- reading

static void unmask(char *at, size_t length, const char *mask) {
  uint32_t half;
  memcpy(&half, mask, 4);
  uint64_t wide = ((uint64_t)half << 32) | half;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word;
    memcpy(&word, at + i, 8);
    word ^= wide;
    memcpy(at + i, &word, 8);
  }
  for (; i < length; i++) at[i] ^= mask[i & 3];
}

// The bytes of the frame at `at`, 0 while it is not all there, -1 if the client is to go.
static ssize_t take_frame(Client *c, char *at, size_t available) {
  if (available < 6) return 0;
  size_t length = (uint8_t)at[1] & 127, extended = length == 126 ? 2 : length == 127 ? 8 : 0, before = 6 + extended;
  if (available < before) return 0;
  if (extended) length = 0;
  for (size_t i = 0; i < extended; i++) length = length << 8 | (uint8_t)at[2 + i];
  if (length > MAX_MESSAGE || !((uint8_t)at[1] & 128)) return -1;
  if (available < before + length) return 0;
  unmask(at + before, length, at + before - 4);
  int opcode = at[0] & 15;
  if (opcode == 8) return -1;
  if (opcode == 1) on_message(c, at + before, length);
  return (ssize_t)(before + length);
}

static bool upgrade(Client *c, char *at, char *end, size_t *used) {
  static const char key_name[] = "Sec-WebSocket-Key: ", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char *stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4), text[128], accept[32], answer[256];
  if (!stop) return true;
  *stop = 0;
  char *key = strcasestr(at, key_name);
  if (!key) return false;
  key += sizeof key_name - 1;
  snprintf(text, sizeof text, "%.*s%s", (int)strcspn(key, "\r"), key, guid);
  sha1_base64(text, strlen(text), accept);
  int length = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
  send_or_keep(c, answer, (size_t)length);
  c->upgraded = true;
  *used = (size_t)(stop + 4 - at);
  return true;
}

// What of `length` bytes was used, or -1.
static ssize_t take(Client *c, char *at, size_t length) {
  size_t used = 0;
  if (!c->upgraded && !upgrade(c, at, at + length, &used)) return -1;
  if (!c->upgraded) return 0;
  for (ssize_t n; used < length; used += (size_t)n) {
    n = take_frame(c, at + used, length - used);
    if (n < 0) return -1;
    if (n == 0) break;
  }
  return (ssize_t)used;
}

static void drop(Client *c) {
  unsubscribe(c);
  close(c->fd);
  free(c->topics);
  free(c->in.bytes);
  free(c->out.bytes);
  free(c);
}

static void on_readable(Client *c) {
  static char work[READ_SIZE + 1];
  ssize_t got = recv(c->fd, work, READ_SIZE, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    drop(c);
    return;
  }
  char *at = work;
  size_t length = (size_t)got;
  if (c->in.end) {
    put(&c->in, work, length);
    at = c->in.bytes;
    length = c->in.end;
  }
  ssize_t used = take(c, at, length);
  if (used < 0) {
    drop(c);
    return;
  }
  size_t rest = length - (size_t)used;
  if (at == work) put(&c->in, work + used, rest);
  else memmove(c->in.bytes, c->in.bytes + used, rest);
  c->in.end = rest;
}

// ---- the loop

static void on_listener(int listener) {
  int one = 1;
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Client *c = calloc(1, sizeof *c);
    if (!c) fail("calloc");
    c->fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  }
}

static int listen_at(int port) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) fail("listen");
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  return fd;
}

static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  allow_many_files();
  epoll = epoll_create1(0);
  int listener = listen_at(atoi(argv[1]));
  puts("listening");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      Client *c = events[i].data.ptr;
      if (!c) on_listener(listener);
      else if (events[i].events & EPOLLOUT && !(events[i].events & (EPOLLERR | EPOLLHUP))) flush(c);
    }
    for (int i = 0; i < n; i++)
      if (events[i].data.ptr && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) on_readable(events[i].data.ptr);
    end_round();
  }
}
