cimport cython

from .entry cimport Draft, Entry, new_entry
from .latest cimport LatestTable
from .log cimport Log


cdef class MemoryEngine:
    cdef object __weakref__
    cdef public str epoch
    cdef public object listener
    cdef public object relieved
    cdef public object renewed
    cdef public object missed
    cdef public Log log
    cdef public LatestTable table
    cdef public object keys
    cdef object _state
    cdef object _now_ms
    cdef object _steady_ms
    cdef bint _ages
    cdef long long _ts

    cpdef append(self, Draft draft)
    @cython.locals(now="long long")
    cpdef append_all(self, drafts)
    @cython.locals(now="long long")
    cdef long long _moment(self) except -1
    @cython.locals(seq="long long")
    cdef _append(self, Draft draft, long long now)
    @cython.locals(ts="long long", seq="long long", payload=bytes, entry=Entry)
    cdef long long _store(self, Draft draft, long long now) except -1
