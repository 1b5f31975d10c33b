cimport cython

from .entry cimport Draft, Entry, new_entry
from .latest cimport LatestTable
from .log cimport Log


cdef class MemoryEngine:
    cdef object __weakref__
    cdef public str epoch
    cdef public object listener
    cdef public object relieved
    cdef public Log log
    cdef public LatestTable table
    cdef public object keys
    cdef object _state
    cdef object _now_ms
    cdef object _steady_ms
    cdef bint _ages
    cdef long long _ts

    @cython.locals(now="long long", seq="long long")
    cpdef append(self, Draft draft)
    @cython.locals(ts="long long", seq="long long", payload=bytes, entry=Entry)
    cdef long long _store(self, Draft draft, long long now) except -1
