// What is reported: CPU and memory of the server from /proc, the histogram of latencies, one JSON line.
#include "loadgen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SUB_BUCKETS = 64, BUCKETS = 64 * SUB_BUCKETS };

Measurement measured = {.storm_ready_s = NAN, .storm_caught_up_s = NAN};
Opening opening;

// ---- processes

// To the nanosecond, threads that have ended included; what /proc tells comes in ticks of 10 ms.
static double cpu_of(int pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_times(int pid, Usage *u) {
  char path[64], line[4096];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return;
  line[fread(line, 1, sizeof line - 1, file)] = 0;
  fclose(file);
  unsigned long user = 0, system = 0;
  char *rest = strrchr(line, ')');
  if (rest) sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  u->user += (double)user / (double)sysconf(_SC_CLK_TCK);
  u->system += (double)system / (double)sysconf(_SC_CLK_TCK);
}

static void add_memory(int pid, Usage *u) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  long value;
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmRSS: %ld", &value) == 1) u->rss_kb += value;
    if (sscanf(line, "VmHWM: %ld", &value) == 1) u->peak_kb += value;
  }
  if (file) fclose(file);
}

static double own_cpu(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

Usage usage(void) {
  Usage u = {.own = own_cpu()};
  for (int i = 0; i < opt.pid_count; i++) {
    u.cpu += cpu_of(opt.pids[i]);
    add_times(opt.pids[i], &u);
    add_memory(opt.pids[i], &u);
  }
  return u;
}

double cpu(Usage from, Usage to) { return to.cpu - from.cpu; }

// ---- latencies: 64 linear buckets for each power of two

static u64 histogram[BUCKETS], samples, longest;

static int bucket_of(u64 value) {
  if (value < SUB_BUCKETS) return (int)value;
  int power = 63 - __builtin_clzll(value);
  return (power - 5) * SUB_BUCKETS + (int)((value >> (power - 6)) & (SUB_BUCKETS - 1));
}

static double middle_of(int bucket) {
  if (bucket < SUB_BUCKETS) return bucket;
  int shift = bucket / SUB_BUCKETS - 1;
  return (double)((u64)(SUB_BUCKETS + bucket % SUB_BUCKETS) << shift) + (double)(1ull << shift) / 2;
}

void add_latency(u64 nanoseconds) {
  histogram[bucket_of(nanoseconds)]++;
  samples++;
  if (nanoseconds > longest) longest = nanoseconds;
}

static double quantile_us(double q) {
  u64 wanted = (u64)(q * (double)samples + 0.5), sum = 0;
  if (!samples) return NAN;
  if (!wanted) wanted = 1;
  for (int i = 0; i < BUCKETS; i++)
    if ((sum += histogram[i]) >= wanted) return middle_of(i) / 1e3;
  return (double)longest / 1e3;
}

// ---- the line

static const char *separator = "{";

// What was not measured is null.
static void put(const char *name, double value, int decimals) {
  if (isnan(value)) printf("%s\"%s\":null", separator, name);
  else printf("%s\"%s\":%.*f", separator, name, decimals, value);
  separator = ",";
}

static void put_count(const char *name, u64 value) { put(name, (double)value, 0); }

static double per(double amount, double of) { return of > 0 ? amount / of : NAN; }

static double if_missed(double value) { return opt.missed ? value : NAN; }

static double if_stalled(double value) { return opt.stalled ? value : NAN; }

static int stalled_and_closed(void) {
  int closed = 0;
  for (int i = 0; i < connection_count; i++) closed += connections[i].role == STALLED && connections[i].state == DEAD;
  return closed;
}

static void report_opening(void) {
  put_count("connections", (u64)ready_count);
  put_count("dead", (u64)dead_count);
  put("connect_s", opening.connect_seconds, 3);
  put("connect_rate", per(connection_count, opening.connect_seconds), 0);
  put("connect_cpu_us", per(cpu(opening.start, opening.connected) * 1e6, connection_count), 1);
  put("rss_start_kb", (double)opening.start.rss_kb, 0);
  put("rss_connected_kb", (double)opening.held.rss_kb, 0);
  put("rss_per_connection", per((double)(opening.held.rss_kb - opening.start.rss_kb) * 1024, connection_count), 0);
  put("hold_cpu_s", cpu(opening.settled, opening.held), 3);
}

static void report_load(double seconds, double used, u64 delivered, u64 published) {
  u64 frames = measured.to.frames - measured.from.frames;
  put("seconds", seconds, 3);
  put("publish_rate", per((double)published, seconds), 0);
  put("delivery_rate", per((double)delivered, seconds), 0);
  put("messages_per_frame", per((double)delivered, (double)frames), 2);
  put("frames_per_read", per((double)frames, (double)(measured.to.reads - measured.from.reads)), 2);
  put("mb_per_s", per((double)(measured.to.bytes - measured.from.bytes), seconds) / 1e6, 1);
  put("answer_rate", per((double)(measured.to.others - measured.from.others), seconds), 0);
  put("server_user_s", measured.after.user - measured.before.user, 3);
  put("server_system_s", measured.after.system - measured.before.system, 3);
  put("server_busy", per(used, seconds), 3);
  put("generator_busy", per(measured.after.own - measured.before.own, seconds), 3);
  put("cpu_us_per_delivery", per(used * 1e6, (double)delivered), 4);
  put("cpu_us_per_publish", per(used * 1e6, (double)published), 3);
}

static void report_latency(void) {
  put("p50_us", quantile_us(0.5), 1);
  put("p90_us", quantile_us(0.9), 1);
  put("p99_us", quantile_us(0.99), 1);
  put("p999_us", quantile_us(0.999), 1);
  put("max_us", samples ? (double)longest / 1e3 : NAN, 1);
}

static void report_faults(void) {
  put_count("published", count.published);
  put_count("delivered", count.deliveries);
  put("lost", (double)measured.expected - (double)count.deliveries, 0);
  put_count("order_errors", count.order_errors);
  put_count("errors", count.errors);
  put_count("closes", count.closes);
  put_count("stalls", measured.stalls);
  put_count("gaps", count.gaps);
  put("silent_losses", if_stalled((double)count.silent_losses), 0);
  put("stalled_closed", if_stalled(stalled_and_closed()), 0);
  put("woken_complete", if_stalled(measured.woken_complete), 0);
  put("storm_ready_s", measured.storm_ready_s, 3);
  put("storm_caught_up_s", measured.storm_caught_up_s, 3);
}

void report(void) {
  double seconds = measured.end > measured.start ? (double)(measured.end - measured.start) / 1e9 : 0;
  double used = cpu(measured.before, measured.after);
  u64 delivered = measured.to.deliveries - measured.from.deliveries, published = measured.to.published - measured.from.published;
  Usage last = usage();
  printf("%s\"name\":\"%s\"", separator, opt.name);
  separator = ",";
  report_opening();
  report_load(seconds, used, delivered, published);
  report_latency();
  report_faults();
  put("rss_per_message", if_missed(per((double)(measured.filled.rss_kb - opening.held.rss_kb) * 1024, (double)count.published)), 0);
  put("rss_end_kb", (double)last.rss_kb, 0);
  put("rss_peak_kb", (double)last.peak_kb, 0);
  puts("}");
  if (opt.text)
    fprintf(stderr, "%s: %.0f deliveries/s, %.3f us CPU each, p50 %.0f p99 %.0f us\n", opt.name, per((double)delivered, seconds),
            per(used * 1e6, (double)delivered), quantile_us(0.5), quantile_us(0.99));
}
