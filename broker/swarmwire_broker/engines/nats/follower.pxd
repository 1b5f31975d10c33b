from .interest cimport Interest


cdef class Follower:
    cdef dict __dict__
    cdef object __weakref__
    cdef readonly object feed
    cdef Interest _interest
    cdef bint _is_between
    cdef public long long _silent

    cpdef bint covers(self, str topic) except -1
