cimport cython

from ...dedupe cimport DedupeTable
from ...entry cimport Draft, stored_at
from ...writequeue cimport WriteQueue, key_of
from .flight cimport Flight
from .pending cimport Pending, new_pending
from .puback cimport PubAcks


cdef class Window:
    cdef dict __dict__
    cdef object __weakref__
    cdef public WriteQueue queue
    cdef public long long acked
    cdef public object refusal
    cdef public bint is_open
    cdef public bint has_fallen
    cdef object _following
    cdef object _doubt
    cdef long long _dedupe_ms
    cdef object _steady_ms
    cdef object _patience
    cdef object _items
    cdef long long _first
    cdef Py_ssize_t _sent
    cdef long long _ticks
    cdef public Flight _flight
    cdef PubAcks _acks
    cdef object _emptied
    cdef object _subscription

    @cython.locals(now="long long")
    cpdef append(self, Draft draft)
    cpdef publish(self, Draft draft, bytes message_id)
    @cython.locals(item=Pending)
    cdef _take(self, Draft draft, bytes message_id, long long now)
    cdef bint _send(self, Pending item) except -1
    cdef _fail_later(self, Pending item, object error)
    @cython.locals(item=Pending)
    cdef _fill(self)
    @cython.locals(item=Pending, index="long long", seq="long long")
    cpdef _receive(self, bytes subject, bytes reply, bytes headers, bytes payload)
    cdef _stored(self, Pending item, long long seq)
    @cython.locals(item=Pending, position="long long")
    cpdef settle(self)
    @cython.locals(draft=Draft)
    cdef _answer(self, Pending item)
