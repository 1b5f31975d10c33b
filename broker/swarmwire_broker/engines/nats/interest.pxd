cdef class Interest:
    cdef dict __dict__
    cdef dict _known
    cdef object _present

    cpdef bint covers(self, str topic) except -1
