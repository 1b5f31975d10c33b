cimport cython


@cython.final
cdef class Window:
    cdef public list items
    cdef public Py_ssize_t start

    cpdef object popleft(self, object empty=*)
