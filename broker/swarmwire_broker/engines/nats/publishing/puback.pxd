cimport cython


cdef class PubAcks:
    cdef bytes _begin

    @cython.locals(begin=bytes, number=bytes)
    cpdef long long seq(self, bytes payload) except -1
    cpdef verdict(self, bytes headers, bytes payload)
    cdef _learn(self, bytes payload, long long seq)
