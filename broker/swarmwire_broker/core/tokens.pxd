cimport cython


@cython.final
cdef class Tokens:
    cdef str _digits
    cdef Py_ssize_t _used

    @cython.locals(begin="Py_ssize_t", end="Py_ssize_t")
    cpdef str take(self, Py_ssize_t digits)
