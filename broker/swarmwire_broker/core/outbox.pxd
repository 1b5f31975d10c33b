cdef class Outbox:
    cdef public object delivery
    cdef public object sink
    cdef public str client_id
    cdef public str instance
    cdef public bint live
    cdef public bint lost
    cdef public bint blocked
    cdef public bint dirty
    cdef public bint full
    cdef public long long position
    cdef public long long told
    cdef public list control
    cdef public long long control_size
    cdef public list notices
    cdef public list runs
    cdef public dict members
    cdef public list parked
    cdef public list waiting
    cdef public list draining
    cdef public long replaying
    cdef public object on_full
    cdef public object on_drained
    cdef public object on_behind
    cdef object _matcher
    cdef public long long last_joined

    cpdef send(self, object message)
    cpdef flush(self)
    cdef list _take_runs(self)
