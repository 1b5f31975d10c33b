// What the files of the load generator share. One thread, one epoll; see README.md for what it measures and how.
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum { MAX_STEPS = 32, MAX_PIDS = 64, MAX_HEADERS = 16384, MAX_STAMPS = 8 };
static const u64 SECOND = 1000000000ull;

// ---- options.c

typedef enum { FOR_ALL, FOR_SUBSCRIBERS, FOR_PUBLISHERS } Audience;
// One step of the handshake: a frame to send, or (wait) text that a frame from the server must contain.
typedef struct { Audience audience; bool wait; const char *text; } Step;

typedef struct {
  const char *name, *host, *path, *subprotocol, *marker, *topic_format, *publish, *star;
  const char *reply_from, *reply_to, *error_marker, *gap_marker, *seq_key, *cursor_key, *resume_frame;
  const char *answers, *probe_frame, *probe_wait;
  char headers[MAX_HEADERS];
  char **tokens;
  int token_count;
  int port, subscribers, publishers, topics, idle, stalled, concurrency, source_ips, payload, window, batch, burst, patterns;
  int missed;
  bool binary, send_time, text;
  long fan;
  double rate, interval_us, warmup, duration, settle, drain, hold, connect_timeout, wake, storm_after;
  int pids[MAX_PIDS], pid_count;
  Step steps[MAX_STEPS];
  int step_count;
} Options;
extern Options opt;
void read_options(int argc, char **argv);

// ---- template.c

// Bytes made from a template, and where in them the send time and the number of the message belong.
typedef struct {
  char *bytes;
  size_t length, capacity, stamps[MAX_STAMPS], numbers[MAX_STAMPS];
  int stamp_count, number_count;
} Rendered;
typedef struct { int id, topic; const char *cursor; } Subject;
Rendered render(const char *text, Subject subject);
const char *render_text(const char *text, Subject subject);
void stamp(Rendered *r, u64 time, u64 number);
void append(Rendered *r, const void *bytes, size_t length);

// ---- connection.c

typedef enum { SUBSCRIBER, STALLED, IDLE, PUBLISHER } Role;
typedef enum { NEW, CONNECTING, UPGRADING, STEPPING, READY, DEAD } State;
typedef struct { char *bytes; size_t start, end, capacity; } Buffer;
typedef struct {
  int fd, id, topic, step;
  Role role;
  State state;
  bool wants_write, awake, resuming, gap_seen;
  Buffer in, out;
  u64 last_number, sent, last_seq, answered, probed;
  u64 *sent_at;  // of the last `window` messages, where answers are awaited
  char epoch[64];
  Rendered message;
} Connection;
typedef struct { u64 expected, delivered, published, published_when_back; long fan; int publishers; } Topic;

extern Connection *connections;
extern Topic *topics;
extern int connection_count, ready_count, dead_count;
void make_connections(void);
void connect_all(void);
void cut_subscribers(void);
void return_subscribers(void);
void pump(u64 until);
void put_frame(Connection *c, int opcode, const char *bytes, size_t length);
void flush(Connection *c);
void wake(Connection *c);
void finish_handshake(Connection *c);
void kill_connection(Connection *c, const char *why);

// ---- receive.c

typedef struct {
  u64 frames, bytes, reads, deliveries, others, order_errors, closes, errors, silent_losses, gaps, published, answers;
} Counters;
extern Counters count;
void receive(Connection *c);

// ---- load.c

void run_load(void);
long fan_of(const Topic *t);

// ---- figures.c

typedef struct { double cpu, user, system, own; long rss_kb, peak_kb; } Usage;
typedef struct {
  u64 start, end;             // the measured time: latencies are of messages published in it
  Usage before, after, filled;
  Counters from, to;
  u64 stalls, expected;
  double storm_ready_s, storm_caught_up_s;
  int woken_complete;
} Measurement;
typedef struct { Usage start, connected, settled, held; double connect_seconds; } Opening;
extern Measurement measured;
extern Opening opening;
Usage usage(void);
double cpu(Usage from, Usage to);
void add_latency(u64 nanoseconds);
void report(void);

// ---- main.c

u64 now(void);
void die(const char *what);
void *allocate(size_t bytes);
void *grow(void *old, size_t bytes);
