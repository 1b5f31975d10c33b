cimport cython

from .outbox cimport Outbox
from .permissions cimport Grants
from .subscription cimport Subscription


cdef class Subscriptions:
    cdef Outbox _outbox
    cdef dict _by_name

    cpdef list check(self, list wanted, Grants grants)
    cdef _check_one(self, wanted, str name, set names, Py_ssize_t held, Grants grants)
    cdef _check_mode(self, wanted)
    cdef _check_start(self, start)
    cpdef bint is_elsewhere(self, wanted) except -1
    cpdef start_of(self, wanted, str name)
    cdef _snapshot(self, str name)
    cdef _resume(self, str text, str name)
    @cython.locals(subscription=Subscription)
    cpdef add(self, wanted, str name, start)
    cdef Subscription _make(self, wanted, str name)
    @cython.locals(subscription=Subscription)
    cpdef bint remove(self, str name) except -1
    cpdef clear(self)
