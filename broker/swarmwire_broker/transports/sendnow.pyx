# cython: language_level=3, binding=False
"""`send_now` in C; `sending` tells where it can be used."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

__all__ = ["send_now"]

cdef extern from *:
    """
    #ifdef _WIN32
    #error "sockets are no descriptors here"
    #endif
    #include <errno.h>
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0  /* Python ignores SIGPIPE, so all that is lost is what an embedding program wants */
    #endif
    static Py_ssize_t swarmwire_send(int fd, const char *data, Py_ssize_t size) {
        Py_ssize_t taken = send(fd, data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken >= 0) return taken;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    }
    """
    Py_ssize_t swarmwire_send(int fd, const char *data, Py_ssize_t size) noexcept nogil


def send_now(int fd, bytes data not None):
    return swarmwire_send(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
