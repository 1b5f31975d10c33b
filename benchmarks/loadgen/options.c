// The command line, as a table: every option with where its value goes.
#include "loadgen.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Options opt = {
    .name = "run", .host = "127.0.0.1", .ports = {8000}, .path = "/ws", .marker = "@ts=", .topic_format = "t%06d",
    .star = "*", .publish = "{\"type\":\"publish\",\"topic\":\"{topic}\",\"data\":{data}}", .subscribers = 1,
    .publishers = 1, .topics = 1, .patterns = 1, .concurrency = 64, .source_ips = 1, .payload = 128, .batch = 1, .fan = -1,
    .interval_us = 10000, .warmup = 1, .duration = 3, .settle = 0.2, .drain = 3, .connect_timeout = 60,
};

typedef enum { WORD, WHOLE, LONG, REAL, FLAG, HEADER, REPLY, TOKENS, PORT, PID, FRAMING, FRAME, WAIT, HELP } Kind;
typedef struct { const char *name; Kind kind; void *target; Audience audience; const char *help; } Option;

static const Option TABLE[] = {
    {"name", WORD, &opt.name, 0, "S: what the run is called in the result"},
    {"host", WORD, &opt.host, 0, "IP of the server"},
    {"port", PORT, NULL, 0, "N: port of the server; of several the i-th connection takes port i mod their number (repeat)"},
    {"unix", WORD, &opt.unix_path, 0, "PATH of the server's Unix socket, in place of host and port"},
    {"fifos", WORD, &opt.fifos, 0, "DIR where the server's control FIFO is, in place of host and port"},
    {"framing", FRAMING, NULL, 0, "websocket | swarm (preface, then length and message) | lines: how messages lie in the bytes"},
    {"path", WORD, &opt.path, 0, "T: path of the WebSocket, a template"},
    {"header", HEADER, NULL, 0, "'K: V': a header of the upgrade, a template (repeat)"},
    {"subprotocol", WORD, &opt.subprotocol, 0, "S: WebSocket subprotocol to ask for"},
    {"source-ips", WHOLE, &opt.source_ips, 0, "K: spread connections over K loopback addresses"},
    {"tokens", TOKENS, NULL, 0, "FILE with one token a line; connection i uses line i as {token}"},
    {"subs", WHOLE, &opt.subscribers, 0, "N: subscribers"},
    {"pubs", WHOLE, &opt.publishers, 0, "N: publishers"},
    {"topics", WHOLE, &opt.topics, 0, "N: topics; the i-th of a role uses topic i mod N"},
    {"topic-format", WORD, &opt.topic_format, 0, "F: printf format of a topic"},
    {"patterns", WHOLE, &opt.patterns, 0, "N: different {pattern}s that match the topic"},
    {"star", WORD, &opt.star, 0, "S: the wildcard for one segment in {pattern}"},
    {"idle", WHOLE, &opt.idle, 0, "N: connections that only connect"},
    {"stalled", WHOLE, &opt.stalled, 0, "N: subscribers that stop reading"},
    {"concurrency", WHOLE, &opt.concurrency, 0, "K: handshakes at once"},
    {"connect-frame", FRAME, NULL, FOR_ALL, "T: a frame of the handshake (order counts, repeat)"},
    {"connect-wait", WAIT, NULL, FOR_ALL, "T: text to wait for"},
    {"subscribe-frame", FRAME, NULL, FOR_SUBSCRIBERS, "T: the same, of subscribers only"},
    {"subscribe-wait", WAIT, NULL, FOR_SUBSCRIBERS, "T"},
    {"publisher-frame", FRAME, NULL, FOR_PUBLISHERS, "T: the same, of publishers only"},
    {"publisher-wait", WAIT, NULL, FOR_PUBLISHERS, "T"},
    {"publish", WORD, &opt.publish, 0, "T: the message"},
    {"payload", WHOLE, &opt.payload, 0, "BYTES of {data}"},
    {"marker", WORD, &opt.marker, 0, "S: what marks a message inside a frame"},
    {"error-marker", WORD, &opt.error_marker, 0, "S: frames with it are counted as errors"},
    {"gap-marker", WORD, &opt.gap_marker, 0, "S: frames with it announce a loss"},
    {"binary", FLAG, &opt.binary, 0, ": send binary frames"},
    {"reply", REPLY, NULL, 0, "FROM=TO: answer a frame that begins with FROM with TO"},
    {"fan", LONG, &opt.fan, 0, "N: deliveries expected of one message"},
    {"window", WHOLE, &opt.window, 0, "W: closed loop, at most W messages of a publisher under way"},
    {"batch", WHOLE, &opt.batch, 0, "K: messages sent back to back where the window lets them"},
    {"rate", REAL, &opt.rate, 0, "R: messages a second in all, evenly spaced"},
    {"burst", WHOLE, &opt.burst, 0, "B: messages back to back of each publisher in each interval"},
    {"interval-us", REAL, &opt.interval_us, 0, "T: the interval of bursts"},
    {"send-time", FLAG, &opt.send_time, 0, ": latency from the real instead of the scheduled send time"},
    {"warmup", REAL, &opt.warmup, 0, "S: seconds before measuring"},
    {"duration", REAL, &opt.duration, 0, "S: seconds measured"},
    {"settle", REAL, &opt.settle, 0, "S: seconds between connecting and load"},
    {"drain", REAL, &opt.drain, 0, "S: seconds to wait for late deliveries"},
    {"hold", REAL, &opt.hold, 0, "S: idle seconds before memory is read"},
    {"wake", REAL, &opt.wake, 0, "S: seconds in which the stalled read again, after the drain"},
    {"storm-after", REAL, &opt.storm_after, 0, "S: seconds of measuring after which all subscribers reconnect"},
    {"resume-frame", WORD, &opt.resume_frame, 0, "T: their subscribe frame then, with {cursor}"},
    {"answers", WORD, &opt.answers, 0, "S: frames with it answer a publish; without subscribers the closed loop counts them"},
    {"missed", WHOLE, &opt.missed, 0, "N: messages of each publisher while all subscribers are cut; then they come back"},
    {"probe-frame", WORD, &opt.probe_frame, 0, "T: what a publisher sends every 5 ms while they do; its latency is reported"},
    {"probe-wait", WORD, &opt.probe_wait, 0, "S: text of the answer to it"},
    {"seq-key", WORD, &opt.seq_key, 0, "S: text before the server's number in a message"},
    {"cursor-key", WORD, &opt.cursor_key, 0, "S: text before <epoch>:<number> in other frames"},
    {"connect-timeout", REAL, &opt.connect_timeout, 0, "S"},
    {"pid", PID, NULL, 0, "P: process of the server (repeat)"},
    {"text", FLAG, &opt.text, 0, ": a line for people on stderr"},
    {"help", HELP, NULL, 0, ": this"},
};
enum { OPTIONS = sizeof TABLE / sizeof *TABLE };

static void help(void) {
  puts("loadgen [options]: a publish/subscribe load generator for WebSockets, TCP, Unix sockets and FIFOs\n");
  for (int i = 0; i < OPTIONS; i++) printf("  --%s %s\n", TABLE[i].name, TABLE[i].help);
  exit(0);
}

static void add_header(const char *line) {
  if (strlen(opt.headers) + strlen(line) + 3 > sizeof opt.headers) die("headers too long");
  strcat(strcat(opt.headers, line), "\r\n");
}

// A text to wait for is rendered at once: it holds nothing of the connection's own.
static void add_step(const Option *o, bool wait, const char *text) {
  if (opt.step_count == MAX_STEPS) die("too many handshake steps");
  opt.steps[opt.step_count++] = (Step){o->audience, wait, wait ? render_text(text, (Subject){0}) : text};
}

static void add_reply(char *rule) {
  char *middle = strchr(rule, '=');
  if (!middle) die("--reply takes FROM=TO");
  *middle = 0;
  opt.reply_from = render_text(rule, (Subject){0});
  opt.reply_to = render_text(middle + 1, (Subject){0});
}

static void read_tokens(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) die("--tokens cannot be read");
  size_t size = 0;
  for (char *line = NULL; getline(&line, &size, file) > 0; line = NULL, size = 0) {
    line[strcspn(line, "\r\n")] = 0;
    if (opt.token_count % 1024 == 0) opt.tokens = grow(opt.tokens, sizeof(char *) * (size_t)(opt.token_count + 1024));
    opt.tokens[opt.token_count++] = line;
  }
  fclose(file);
}

static void apply(const Option *o, char *value) {
  switch (o->kind) {
    case WORD: *(const char **)o->target = value; break;
    case WHOLE: *(int *)o->target = atoi(value); break;
    case LONG: *(long *)o->target = atol(value); break;
    case REAL: *(double *)o->target = atof(value); break;
    case FLAG: *(bool *)o->target = true; break;
    case HEADER: add_header(value); break;
    case REPLY: add_reply(value); break;
    case TOKENS: read_tokens(value); break;
    case PORT: if (opt.port_count < MAX_PORTS) opt.ports[opt.port_count++] = atoi(value); break;
    case PID: if (opt.pid_count < MAX_PIDS) opt.pids[opt.pid_count++] = atoi(value); break;
    case FRAMING: if (!(opt.framing = framing_named(value))) die("--framing is websocket, swarm or lines"); break;
    case FRAME: add_step(o, false, value); break;
    case WAIT: add_step(o, true, value); break;
    case HELP: help();
  }
}

void read_options(int argc, char **argv) {
  struct option long_options[OPTIONS + 1] = {0};
  for (int i = 0; i < OPTIONS; i++) {
    bool bare = TABLE[i].kind == FLAG || TABLE[i].kind == HELP;
    long_options[i] = (struct option){TABLE[i].name, bare ? no_argument : required_argument, NULL, 1000 + i};
  }
  int found;
  while ((found = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (found < 1000) exit(2);
    apply(&TABLE[found - 1000], optarg);
  }
  if (!opt.framing) opt.framing = framing_named("websocket");
  if (opt.topics < 1) opt.topics = 1;
  if (opt.patterns < 1) opt.patterns = 1;
  if (opt.answers && opt.window < 1) opt.window = 1;
  if (!opt.port_count) opt.port_count = 1;
}
