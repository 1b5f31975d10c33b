cdef class Hooks:
    cdef list _routes
