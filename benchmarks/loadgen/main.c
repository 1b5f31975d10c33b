// loadgen: one run of a workload against one server, one line of JSON on stdout.
#include "loadgen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

void die(const char *what) {
  fprintf(stderr, "loadgen: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(2);
}

void *allocate(size_t bytes) {
  void *fresh = calloc(1, bytes ? bytes : 1);
  if (!fresh) die("out of memory");
  return fresh;
}

void *grow(void *old, size_t bytes) {
  void *larger = realloc(old, bytes);
  if (!larger) die("out of memory");
  return larger;
}

static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void pass(double seconds) {
  for (u64 until = now() + (u64)(seconds * 1e9); now() < until;) pump(until);
}

static void open_connections(void) {
  make_connections();
  opening.start = usage();
  u64 start = now();
  connect_all();
  opening.connect_seconds = (double)(now() - start) / 1e9;
  opening.connected = usage();
  if (!ready_count) exit(3);
  pass(opt.settle);
  opening.settled = usage();
  pass(opt.hold);
  opening.held = usage();
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  errno = 0;
  read_options(argc, argv);
  allow_many_files();
  open_connections();
  run_load();
  report();
  return 0;
}
