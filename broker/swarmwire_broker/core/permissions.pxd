cdef class Grants:
    cdef object __weakref__
    cdef tuple _publish
    cdef tuple _subscribe
    cdef tuple _call
    cdef tuple _prefixes
    cdef public bint admin
    cdef public bint observes
    cdef public bint publishes_all
