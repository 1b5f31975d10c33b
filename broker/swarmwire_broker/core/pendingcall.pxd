from .session cimport Session


cdef class SessionAsker:
    cdef public Session session
    cdef public dict calls

    cpdef begun(self, PendingCall call)
    cpdef bint more(self, PendingCall call, bytes data)
    cpdef failed(self, PendingCall call, object error)
    cpdef dropped(self, PendingCall call)
    cdef bint _has_room(self, long long size)
    cdef _forget(self, PendingCall call)


cdef class PendingCall:
    cdef public object clock
    cdef public object asker
    cdef public object id
    cdef public str method
    cdef public double seconds
    cdef public double deadline
    cdef public object timer
    cdef public object worker
    cdef public bint is_over
    cdef public bint is_streamed

    cpdef begin(self, object worker)
    cpdef more(self, bytes data)
    cpdef fail(self, object error)
    cpdef give_up(self, object error)
    cpdef drop(self)
    cdef bint _end(self)
