from .permissions cimport Grants
from .rates cimport SessionRates


cdef class Author:
    cdef public object sender
    cdef public bytes origin
    cdef public str instance
    cdef public str scope
    cdef public SessionRates rates
    cdef public object permissions
    cdef public Grants grants
    cdef public object expires_at
    cdef public object token_id

    cpdef become(self, verified)
    cpdef become_anonymous(self, str client_id)
    cpdef permit(self, permissions)
