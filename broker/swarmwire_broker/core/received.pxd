cimport cython


@cython.locals(size="long long")
cpdef long long size_of(list messages) except -1
@cython.locals(stop="Py_ssize_t", topic=str)
cpdef Py_ssize_t run_end(list messages, Py_ssize_t start) except -1
cdef bint _is_bare(tuple publish) except -1
