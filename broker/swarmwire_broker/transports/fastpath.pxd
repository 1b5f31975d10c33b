cimport cython

from ..core.delivery cimport Delivery
from ..core.session cimport Session


cdef Py_ssize_t _MAX_CONTROL
cdef Py_ssize_t _LARGE
cdef int _FIN
cdef int _MASKED
cdef int _TEXT
cdef int _CLOSE_FRAME


cdef class FastConnection:
    cdef object __weakref__
    cdef object _transport
    cdef object _connections
    cdef Py_ssize_t _limit
    cdef public object _rest
    cdef Py_ssize_t _wanted
    cdef Py_ssize_t _skip
    cdef object _fragments
    cdef bint _binary
    cdef bint _closing
    cdef bint _reading_paused
    cdef public object _timer
    cdef int _descriptor
    cdef bint _is_queued
    cdef Delivery _delivery
    cdef public Session session

    @cython.locals(skipped="Py_ssize_t")
    cpdef data_received(self, bytes data)
    @cython.locals(
        position="Py_ssize_t", end="Py_ssize_t", start="Py_ssize_t", stop="Py_ssize_t", size="Py_ssize_t",
        head="int", masked="bint", payload=bytes,
    )
    cdef _parse(self, bytes data)
    cpdef _message(self, bytes payload)
    @cython.locals(sent="Py_ssize_t")
    cpdef write(self, bytes block)
