cdef class Outbox:
    cdef public object delivery
    cdef public object sink
    cdef public object owner
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
    cdef object _matcher
    cdef public long long last_joined

    cpdef send(self, object message)
    cpdef bint offer(self, object message)
    cdef bint _has_place(self, long long size)
    cpdef send_behind(self, object message)
    cpdef str cursor(self, long long seq)
    cpdef close(self)
    cpdef force_flush(self)
    cpdef join(self, member)
    cpdef leave(self, member)
    cpdef flush(self)
    cdef list _take_runs(self)
