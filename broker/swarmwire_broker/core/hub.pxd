from .delivery cimport Delivery
from .hooks cimport Hooks
from .publishing cimport Publishing
from .session cimport Session
from .signals cimport Signals
from .stats cimport Stats
from .tokens cimport Tokens


cdef class Hub:
    cdef public object engine
    cdef public object clock
    cdef public object limits
    cdef public Stats stats
    cdef public object info
    cdef public object open_permissions
    cdef public Tokens tokens
    cdef public Delivery delivery
    cdef public Signals signals
    cdef public Hooks hooks
    cdef public Publishing publishing
    cdef public object login
    cdef public object calls
    cdef public object start_news
    cdef public dict sessions
    cdef public dict states
    cdef public bint is_draining
    cdef dict _slowed
    cdef list _slices
    cdef Py_ssize_t _slice
    cdef object _beat

    cpdef Session connect(self, sink, peer)
    cdef _refusal(self)
    cpdef announce(self, str topic, dict facts)
    cpdef tell_authenticated(self, Session session)
    cpdef tell_subscribed(self, Session session, str pattern, str name)
