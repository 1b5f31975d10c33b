from .dedupe cimport DedupeTable
from .entry cimport Draft

cpdef tuple key_of(Draft draft)


cdef class WriteQueue:
    cdef public long long events
    cdef public long long bytes
    cdef public bint congested
    cdef public object relieved
    cdef DedupeTable _keys
    cdef long long _max_events
    cdef long long _max_bytes
    cdef dict _claims
    cdef object _scopes

    cpdef add(self, Draft draft)
    cpdef remove(self, Draft draft)
    cpdef settle(self)
    cpdef bint claim(self, Draft draft, long long now_ms) except -1
    cpdef stored(self, Draft draft, long long seq, long long until)
    cpdef answer(self, Draft draft, object outcome)


cdef _answer(Draft draft, object outcome)
