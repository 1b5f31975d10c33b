cimport cython

from ...entry cimport Draft


@cython.final
@cython.freelist(256)
cdef class Pending:
    cdef public Draft draft
    cdef public bytes message_id
    cdef public long long since
    cdef public long long tick
    cdef public long long taken
    cdef public long long after
    cdef public Py_ssize_t size
    cdef public object stage
    cdef public long long seq
    cdef public object error
    cdef public bint doubtful
    cdef public bint again

    cpdef fail(self, object error)
    cpdef give_up(self)
    cpdef wait_again(self)


@cython.locals(item=Pending)
cpdef Pending new_pending(Draft draft, bytes message_id, long long since, long long tick)
