cimport cython


@cython.final
@cython.freelist(16)
cdef class Run:
    cdef public tuple receivers
    cdef public list payloads
    cdef public long long first
    cdef public long long last
    cdef public long long size
    cdef public str hidden_from
    cdef object _framer
    cdef object _block
    cdef object _others

    cpdef add(self, bytes payload)
    cpdef object block(self, object framer)
    cdef object _other_block(self, object framer)


@cython.locals(run=Run)
cpdef Run new_run(tuple receivers, long long first, str hidden_from)
