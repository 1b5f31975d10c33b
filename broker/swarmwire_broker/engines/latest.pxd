cimport cython

from .entry cimport Entry


@cython.final
cdef class LatestTable:
    cdef public long long floor
    cdef public long long bytes
    cdef long long _max_topics
    cdef long long _max_bytes
    cdef dict _by_topic
    cdef public list _order
    cdef Py_ssize_t _first
    cdef Py_ssize_t _most_places
    cdef public long long _stale_bytes
    cdef long long _most_stale_bytes

    @cython.locals(former=Entry, topic=str)
    cpdef put(self, Entry entry)
    cdef _take_out(self, str topic)
    @cython.locals(entry=Entry)
    cdef _compact(self)
    @cython.locals(entry=Entry)
    cdef _make_room(self)
    cdef _let_go(self, Entry entry)
    cdef bint _is_last(self, Entry entry) except -1
