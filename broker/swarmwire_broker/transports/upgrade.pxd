cimport cython


cdef class UpgradeReader:
    cdef bytes _line
    cdef public dict _known

    @cython.locals(end="Py_ssize_t", start="Py_ssize_t", key=bytes, shape=bytes)
    cpdef read(self, bytes data)
    cdef _read(self, bytes shape)


cpdef bytes switching_protocols(asked, bytes headers)
