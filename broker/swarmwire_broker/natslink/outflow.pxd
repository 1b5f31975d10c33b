cimport cython


cdef Py_ssize_t _LARGE


cdef class Outflow:
    cdef object _call_soon
    cdef Py_ssize_t _most
    cdef object _transport
    cdef Py_ssize_t _max_payload
    cdef list _pieces
    cdef Py_ssize_t _size
    cdef bint _scheduled
    cdef public bint congested

    @cython.locals(size=Py_ssize_t, begins=Py_ssize_t, piece=bytes)
    cpdef publish(self, bytes subject, bytes payload, bytes reply=*, bytes headers=*)
    cpdef control(self, bytes line)
    cpdef flush(self)
