cimport cython


@cython.final
cdef class TopicIndex:
    cdef public dict _root

    @cython.locals(branch=dict, depth=Py_ssize_t, segment=str)
    cpdef add(self, str topic, list segments=*)
    @cython.locals(branch=dict, path=list, segment=str)
    cpdef remove(self, str topic)
    cpdef clear(self)


@cython.locals(segments=list)
cdef dict _branch_of(str topic, Py_ssize_t depth)
