cimport cython

from ..core.delivery cimport Delivery
from ..core.session cimport Session


cdef Py_ssize_t _LENGTH
cdef Py_ssize_t _ALL
cdef Py_ssize_t _LARGE


@cython.final
cdef class FrameFramer:
    cpdef bytes join(self, list payloads)
    cpdef bytes merge(self, list blocks)


@cython.final
cdef class LineFramer:
    cpdef bytes join(self, list payloads)
    cpdef bytes merge(self, list blocks)


cdef class StreamConnection:
    cdef object __weakref__
    cdef object _hub
    cdef object _transport
    cdef object _peer
    cdef object _connections
    cdef Delivery _delivery
    cdef Py_ssize_t _limit
    cdef public object _decoder
    cdef public object _rest
    cdef Py_ssize_t _wanted
    cdef bint _welcomed
    cdef bint _ended
    cdef bint _closing
    cdef bint _reading_paused
    cdef double _patience
    cdef double _close_timeout
    cdef public object _timer
    cdef public object _deadline
    cdef int _descriptor
    cdef bint _is_queued
    cdef public object framer
    cdef public Session session

    cpdef data_received(self, bytes data)
    @cython.locals(session=Session, position="Py_ssize_t", most="Py_ssize_t", messages=list)
    cdef _read_frames(self, bytes data)
    @cython.locals(sent="Py_ssize_t")
    cpdef write(self, bytes block)
