// A pair of FIFOs in place of a socket: made by the client, announced to the server at its control FIFO.
#include "loadgen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, LONGEST_PATH = 4096 };

static int open_or_die(const char *path, int flags) {
  int fd = open(path, flags | FLAGS);
  if (fd < 0) die(path);
  return fd;
}

// One write of one line: short enough that the kernel does not mix it with those of others.
static void announce(const char *id) {
  char path[LONGEST_PATH], line[80];
  snprintf(path, sizeof path, "%s/ctl", opt.fifos);
  int length = snprintf(line, sizeof line, "SWARM/1 %s\n", id), control = open_or_die(path, O_WRONLY);
  while (write(control, line, (size_t)length) != length) {
    if (errno != EAGAIN) die("control FIFO");
    usleep(100);
  }
  close(control);
}

// The broker removes the names when it has opened both; until then we hold the reading end of what we write to.
void open_fifos(Connection *c) {
  static int made;
  char id[40], up[LONGEST_PATH], down[LONGEST_PATH];
  snprintf(id, sizeof id, "bench%08x%08x", (unsigned)getpid(), (unsigned)made++);
  snprintf(up, sizeof up, "%s/%s.up", opt.fifos, id);
  snprintf(down, sizeof down, "%s/%s.down", opt.fifos, id);
  if (mkfifo(up, 0600) || mkfifo(down, 0600)) die(up);
  c->fd = open_or_die(down, O_RDONLY);
  c->held = open_or_die(up, O_RDWR);
  c->out_fd = open_or_die(up, O_WRONLY);
  announce(id);
}

// The server's first byte says that it has opened both; where what follows begins.
const char *take_acceptance(Connection *c, const char *at) {
  if (*at != '\n') kill_connection(c, "not accepted");
  let_go(c);
  return at + 1;
}

// From now on the server's end of the FIFO alone keeps it alive.
void let_go(Connection *c) {
  if (c->held < 0) return;
  close(c->held);
  c->held = -1;
}
