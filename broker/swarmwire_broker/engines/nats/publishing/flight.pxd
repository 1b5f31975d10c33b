cimport cython

from ...entry cimport Draft
from ..body cimport stored_headers, stored_payload
from .pending cimport Pending


cdef class Flight:
    cdef public object base
    cdef public long long events
    cdef object _publish
    cdef object _subjects
    cdef long long _most
    cdef long long _most_bytes
    cdef dict _known
    cdef long long _round
    cdef public object _inbox
    cdef public long long bytes

    @cython.locals(draft=Draft, size=Py_ssize_t)
    cpdef send(self, Pending item, long long number, long long tick, long long after)
    cpdef landed(self, Pending item)
    cpdef long long number_of(self, object subject) except? -2
