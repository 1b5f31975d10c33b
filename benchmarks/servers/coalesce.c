// One send per subscriber and epoll round. What a topic has for its subscribers is joined once and sent to all of them
// from the same bytes; only a subscriber of several topics of the round has its parts gathered.
#include "wire.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { MAX_PARTS = 64 };

static Topic **dirty;
static Client **waiting;  // subscribers of more than one topic of this round
static int dirty_count, dirty_capacity, waiting_count, waiting_capacity;

static void *with_room(void *list, int count, int *capacity) {
  if (count < *capacity) return list;
  *capacity = *capacity * 2 + 64;
  if (!(list = realloc(list, sizeof(void *) * (size_t)*capacity))) abort();
  return list;
}

void deliver(Topic *t, const char *frame, size_t length) {
  if (!t->pending.end) {
    dirty = with_room(dirty, dirty_count, &dirty_capacity);
    dirty[dirty_count++] = t;
  }
  put(&t->pending, frame, length);
}

static void mark(Client *c) {
  if (++c->pending_topics != 2) return;
  waiting = with_room(waiting, waiting_count, &waiting_capacity);
  waiting[waiting_count++] = c;
}

static void send_alone(Topic *t) {
  for (int i = 0; i < t->subscriber_count; i++) {
    Client *c = t->subscribers[i];
    if (c->pending_topics != 1) continue;
    send_or_keep(c, t->pending.bytes, t->pending.end);
    c->pending_topics = 0;
  }
}

// Whatever the socket did not take of the parts is kept.
static void keep_rest(Client *c, const struct iovec *parts, int count, size_t sent) {
  for (int i = 0; i < count; i++) {
    size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
    sent -= skip;
    if (skip == parts[i].iov_len) continue;
    put(&c->out, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
    keep_waiting(c);
  }
}

static void send_parts(Client *c, struct iovec *parts, int count) {
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
  ssize_t sent = c->out.start == c->out.end ? sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
  keep_rest(c, parts, count, sent > 0 ? (size_t)sent : 0);
}

static void send_gathered(Client *c) {
  struct iovec parts[MAX_PARTS];
  int count = 0;
  for (int i = 0; i < c->topic_count; i++) {
    Buffer *pending = &c->topics[i]->pending;
    if (!pending->end) continue;
    parts[count++] = (struct iovec){pending->bytes, pending->end};
    if (count == MAX_PARTS) {
      send_parts(c, parts, count);
      count = 0;
    }
  }
  if (count) send_parts(c, parts, count);
  c->pending_topics = 0;
}

void end_round(void) {
  if (!dirty_count) return;
  for (int i = 0; i < dirty_count; i++)
    for (int k = 0; k < dirty[i]->subscriber_count; k++) mark(dirty[i]->subscribers[k]);
  for (int i = 0; i < dirty_count; i++) send_alone(dirty[i]);
  for (int i = 0; i < waiting_count; i++) send_gathered(waiting[i]);
  for (int i = 0; i < dirty_count; i++) dirty[i]->pending.end = 0;
  dirty_count = waiting_count = 0;
}

int main(int argc, char **argv) { return serve(argc, argv); }
