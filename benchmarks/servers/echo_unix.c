// Sends back on a Unix socket whatever it reads from it: what a round trip costs when nothing is done on the way.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 512, READ_SIZE = 1 << 16, BACKLOG = 4096 };

static int epoll;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(path);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  umask(0177);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) fail(path);
  return fd;
}

// Whoever does not read what it is sent has it waited for: a yardstick may, a broker may not.
static bool send_all(int fd, const char *bytes, size_t length) {
  while (length) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) bytes += sent, length -= (size_t)sent;
  }
  return true;
}

static void echo(int fd) {
  static char bytes[READ_SIZE];
  ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0 || !send_all(fd, bytes, (size_t)got)) close(fd);
}

static void take_clients(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) watch(fd);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PATH\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if ((epoll = epoll_create1(0)) < 0) fail("epoll_create1");
  int listener = listen_at(argv[1]);
  watch(listener);
  puts("listening");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == listener) take_clients(listener);
      else echo(events[i].data.fd);
    }
  }
}
