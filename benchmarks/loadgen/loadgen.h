// What the files of the load generator share. One thread, one epoll; see README.md for what it measures and how.
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum { LARGEST_MESSAGE = 7 << 19 };
enum { MAX_STEPS = 32, MAX_PIDS = 64, MAX_PORTS = 16, MAX_HEADERS = 16384, MAX_STAMPS = 8 };
static const u64 SECOND = 1000000000ull;

typedef struct Connection Connection;

// ---- framing.c: how messages lie in the bytes of a connection, in both directions

typedef struct {
  const char *name;
  void (*greet)(Connection *c);  // what a client says first
  void (*put)(Connection *c, const char *bytes, size_t length);
  // Hand over the messages that are whole; where the rest begins.
  const char *(*take)(Connection *c, const char *at, const char *end, u64 time);
} Framing;
const Framing *framing_named(const char *name);

// ---- options.c

typedef enum { FOR_ALL, FOR_SUBSCRIBERS, FOR_PUBLISHERS } Audience;
// One step of the handshake: a frame to send, or (wait) text that a frame from the server must contain.
typedef struct { Audience audience; bool wait; const char *text; } Step;

typedef struct {
  const char *name, *host, *path, *subprotocol, *marker, *topic_format, *publish, *star;
  const char *unix_path, *fifos;
  const Framing *framing;
  const char *reply_from, *reply_to, *error_marker, *gap_marker, *seq_key, *cursor_key, *resume_frame;
  const char *answers, *probe_frame, *probe_wait;
  char headers[MAX_HEADERS];
  char **tokens;
  int token_count;
  int ports[MAX_PORTS], port_count;
  int subscribers, publishers, topics, idle, stalled, concurrency, source_ips, payload, window, batch, burst, patterns;
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
struct Connection {
  int fd, out_fd;  // the same for a socket, two for FIFOs
  int held;        // of FIFOs: keeps the one we write to alive until the server has opened it; else -1
  int id, topic, step;
  Role role;
  State state;
  bool wants_write, awake, resuming, gap_seen, greeted;
  Buffer in, out;
  u64 last_number, sent, last_seq, answered, probed;
  u64 *sent_at;  // of the last `window` messages, where answers are awaited
  char epoch[64];
  Rendered message;
};
typedef struct { u64 expected, delivered, published, published_when_back; long fan; int publishers; } Topic;

extern Connection *connections;
extern Topic *topics;
extern int connection_count, ready_count, dead_count;
void make_connections(void);
void connect_all(void);
void cut_subscribers(void);
void return_subscribers(void);
void pump(u64 until);
char *room(Connection *c, size_t length);
void put_message(Connection *c, const char *bytes, size_t length);
void flush(Connection *c);
void wake(Connection *c);
void finish_handshake(Connection *c);
void kill_connection(Connection *c, const char *why);
int port_of(const Connection *c);

// ---- fifo.c

void open_fifos(Connection *c);
const char *take_acceptance(Connection *c, const char *at);
void let_go(Connection *c);

// ---- websocket.c

void ask_for_upgrade(Connection *c);
void put_websocket_frame(Connection *c, const char *bytes, size_t length);
const char *take_websocket_frames(Connection *c, const char *at, const char *end, u64 time);

// ---- receive.c

typedef struct {
  u64 frames, bytes, reads, deliveries, others, order_errors, closes, errors, silent_losses, gaps, published, answers;
} Counters;
extern Counters count;
void receive(Connection *c);
void on_message(Connection *c, const char *bytes, size_t length, u64 time);

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
