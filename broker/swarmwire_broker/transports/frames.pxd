cimport cython


@cython.final
cdef class WebSocketFramer:
    cpdef bytes join(self, list payloads)
    cpdef bytes merge(self, list blocks)
