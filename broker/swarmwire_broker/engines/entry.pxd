cimport cython


@cython.final
@cython.freelist(256)
cdef class Entry:
    cdef public long long seq
    cdef public long long ts
    cdef public str topic
    cdef public bytes payload
    cdef public str hidden_from
    cdef public bint clear


@cython.final
@cython.freelist(64)
cdef class Draft:
    cdef public str topic
    cdef public bytes head
    cdef public bytes origin
    cdef public bytes data
    cdef public tuple key
    cdef public str hidden_from
    cdef public bint clear
    cdef public object done


@cython.locals(entry=Entry)
cpdef Entry new_entry(long long seq, long long ts, str topic, bytes payload, str hidden_from, bint clear)

cpdef stored_at(long long seq)

cpdef Entry placed(Draft draft, long long seq, long long ts)

@cython.locals(draft=Draft)
cpdef Draft new_draft(
    str topic, bytes head, bytes origin, bytes data, tuple key, str hidden_from, bint clear, object done
)
