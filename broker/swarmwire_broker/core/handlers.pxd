cimport cython

from .pendingcall cimport PendingCall
from .session cimport Session


@cython.final
cdef class _Dispatched:
    cdef public Handler handler
    cdef public str id
    cdef public PendingCall call

    cpdef cancel(self)


cdef class Handler:
    cdef public Session session
    cdef public set methods
    cdef public dict outstanding

    cpdef bint hand(self, object message, PendingCall call, long long most)
    @cython.locals(found=_Dispatched)
    cpdef answer(self, object message)
    cdef _more(self, PendingCall call, object message)


cdef class Handlers:
    cdef object _hub
    cdef dict _by_method
    cdef dict _by_session
    cdef dict _turns
    cdef object _numbers
    cdef public object changed

    @cython.locals(handler=Handler)
    cpdef dispatch(self, PendingCall call, object params)
    @cython.locals(handlers=list)
    cdef list _in_order(self, str method)
    @cython.locals(handler=Handler)
    cpdef answer(self, Session session, object message)


cdef bytes _checked(PendingCall call, object data, str field)
