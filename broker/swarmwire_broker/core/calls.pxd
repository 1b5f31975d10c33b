cimport cython

from .handlers cimport Handlers
from .pendingcall cimport PendingCall, SessionAsker
from .session cimport Session


cdef class Calls:
    cdef object _hub
    cdef public dict methods
    cdef public Handlers handlers
    cdef public object elsewhere
    cdef dict _askers

    @cython.locals(call=PendingCall)
    cpdef call(self, Session session, object message)
    cdef _check_allowed(self, Session session, str name, object builtin)
    cdef double _seconds(self, object message) except -1
    @cython.locals(asker=SessionAsker)
    cdef SessionAsker _asker(self, Session session)
    cpdef answer(self, Session session, object message)
