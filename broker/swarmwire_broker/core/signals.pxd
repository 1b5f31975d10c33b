cdef class Signals:
    cdef public object clock
    cdef dict _callbacks
