cimport cython

from .identity cimport Author
from .outbox cimport Outbox
from .publishing cimport Publishing
from .rates cimport SessionRates
from .received cimport run_end, size_of


cdef class Session:
    cdef public object hub
    cdef public Publishing publishing
    cdef public object peer
    cdef public long long since
    cdef public str client_id
    cdef public object client
    cdef public Author author
    cdef public Outbox outbox
    cdef public object subscriptions
    cdef public bint heard
    cdef public bint is_welcome
    cdef public bint said_bye
    cdef public object pending
    cdef object _time
    cdef object _state
    cdef object _inbox
    cdef long _holds
    cdef public object _malformed
    cdef long _strikes
    cdef long _silent
    cdef long long _buffered
    cdef object _expiry
    cdef list _ends
    cdef object _timeout

    cdef _become(self, state)
    cpdef receive(self, bytes raw)
    @cython.locals(start="Py_ssize_t", stop="Py_ssize_t", paid=bint)
    cpdef receive_all(self, list messages)
    @cython.locals(run=list)
    cdef bint _take_run(self, list messages, Py_ssize_t start, Py_ssize_t stop, bint paid) except -1
    @cython.locals(number="Py_ssize_t")
    cdef _take_each(self, list messages, Py_ssize_t start, Py_ssize_t stop, bint paid)
    @cython.locals(rates=SessionRates, size="long long")
    cdef bint _prepay(self, list messages)
    @cython.locals(plain=tuple)
    cdef _take(self, bytes raw)
    @cython.locals(rates=SessionRates, wait=double)
    cdef _take_plain(self, long long size, str topic, bytes data, object request_id, str key, bint paid)
    cdef _charge(self, object kind, long long size)
    cdef _greet(self, message)
    cpdef welcomed(self)
    cpdef watch_expiry(self)
