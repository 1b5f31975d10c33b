cimport cython

from ..entry cimport Entry
from .body cimport Topics, entry_of, place_of
from .ring cimport Ring


cdef class Feed:
    cdef dict __dict__
    cdef public long long position
    cdef public object listener
    cdef public object missed
    cdef public object broken
    cdef public object unsure
    cdef public long long floor
    cdef public bint is_behind
    cdef public bint was_heard
    cdef public bint is_whole
    cdef object _link
    cdef Ring _ring
    cdef Topics _topics
    cdef double _turnover
    cdef tuple _sure
    cdef bint _relied
    cdef list _held
    cdef bytes _inbox
    cdef long long _next
    cdef long long _ts
    cdef long long _hole
    cdef long long _holes

    @cython.locals(seq="long long", consumer_seq="long long", ts="long long", pending="long long", entry=Entry)
    cpdef receive(self, bytes subject, bytes reply, bytes headers, bytes payload)
    cdef bint _may_pass(self, long long seq) except -1
    cdef _hold(self, bytes subject, bytes reply, bytes headers, bytes payload)
    cdef bint _advance(self, long long seq) except -1
    cdef _control(self, bytes reply, bytes headers)
