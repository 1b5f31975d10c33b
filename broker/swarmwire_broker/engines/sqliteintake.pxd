from .entry cimport Draft
from .writequeue cimport WriteQueue


cdef class Intake:
    cdef public WriteQueue queue
    cdef public object _steady_ms
    cdef public object _loop
    cdef public object _writer
    cdef public list _waiting

    cpdef append(self, Draft draft)
    cpdef append_all(self, drafts)
    cpdef _submit(self, object item)
    cpdef _hand_over(self)
