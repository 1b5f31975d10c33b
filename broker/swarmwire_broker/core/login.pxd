from .hub cimport Hub
from .session cimport Session


cdef class Login:
    cdef Hub _hub
    cdef object _authenticator
    cdef object _prompt
    cdef object _server
    cdef object _told
    cdef object _limiter
    cdef object _guard

    cpdef begin(self, Session session, hello)
    cdef bint _decide_now(self, Session session, hello, str version) except -1
    cdef _welcome(self, Session session, str version)
