// What the two C servers share: WebSocket over epoll, and the least publish/subscribe that can be measured.
// They are yardsticks of what a socket costs, not brokers: no login, no permissions, no log, no limits.
//
//   {"type":"subscribe","topic":"x"}          -> {"type":"subscribed","topic":"x"}
//   {"type":"publish","topic":"x","data":...} -> {"type":"event","topic":"x","seq":1,"data":...} to every subscriber
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { char *bytes; size_t start, end, capacity; } Buffer;

typedef struct Topic Topic;
typedef struct Client Client;

struct Client {
  int fd;
  bool upgraded, wants_write;
  Buffer in, out;           // `out` is what the socket did not take
  Topic **topics;           // subscribed to
  int topic_count;
  int pending_topics;       // coalesce.c: topics with something for this client, while a round ends
};

struct Topic {
  char *name;
  size_t name_length;
  uint64_t seq;
  Client **subscribers;
  int subscriber_count;
  Buffer pending;           // coalesce.c: the frames of this round, joined
  Topic *next;              // in its bucket
};

// What a server does with an event, a frame ready to be written; and at the end of every epoll round.
void deliver(Topic *topic, const char *frame, size_t length);
void end_round(void);

void put(Buffer *buffer, const char *bytes, size_t length);
void send_or_keep(Client *client, const char *bytes, size_t length);
void keep_waiting(Client *client);
int serve(int argc, char **argv);
