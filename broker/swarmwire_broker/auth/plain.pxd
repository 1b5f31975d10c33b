cimport cython


cdef class PlainTokens:
    cdef object _keyed

    @cython.locals(signed=bytes, header=bytes, payload=bytes, signature=bytes)
    cpdef claims(self, token)


cdef bytes _encoded(bytes raw)
cdef _object(bytes payload)
