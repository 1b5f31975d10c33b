cimport cython

from .outbox cimport Outbox


cdef class Subscription:
    cdef public Outbox outbox
    cdef public str name
    cdef public str pattern
    cdef public bytes quoted
    cdef public long long joined
    cdef public bint is_live
    cdef object _reader

    cpdef start_live(self, long long position)
    cpdef stop(self)


cdef class SharedSubscription(Subscription):
    cdef public bint closes


cdef class OwnSubscription(Subscription):
    cdef bint _hides(self, hidden_from)


cdef class ConflatingSubscription(OwnSubscription):
    cdef double _tick
    cdef object _timer
    cdef object _ticker
    cdef dict _ephemeral


cdef class DroppingSubscription(OwnSubscription):
    cdef long long _queue_size
    cdef public object _queue
    cdef long long _bytes
    cdef long long _written
    cdef long long _lost_to
    cdef long long _lost
    cdef bint _evicted
    cdef bint _draining
    cdef public object dropped

    cdef _put(self, long long seq, str topic, bytes payload)
    cdef _drain_soon(self)
    cdef _trim(self)
    cdef _drop(self)
    cdef list _take_gap(self)
