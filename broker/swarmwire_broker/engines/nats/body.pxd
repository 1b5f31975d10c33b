cimport cython

from ..entry cimport Draft, Entry, new_entry


@cython.final
cdef class Known:
    cdef public str topic
    cdef public bytes head


@cython.final
cdef class Topics:
    cdef object _subjects
    cdef Py_ssize_t _most
    cdef dict _known

    cpdef Known of(self, bytes subject)
    cdef Known _learn(self, bytes subject)


cpdef place_of(bytes reply)
cpdef bytes stored_payload(Draft draft)
cpdef bytes stored_headers(Draft draft, bytes message_id=*)

@cython.locals(known=Known, head=bytes, whole=bytes)
cpdef Entry entry_of(long long seq, long long ts_ms, bytes subject, bytes headers, bytes payload, Topics topics)
