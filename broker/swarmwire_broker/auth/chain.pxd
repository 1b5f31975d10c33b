cdef class Chain:
    cdef tuple _sources
    cdef bint _waits
    cdef object _local
    cdef object _local_subjects
    cdef object _revocations

    cpdef at_once(self, token, peer)
    cdef _unless_revoked(self, login)
    cdef _without_token(self, peer)
    cdef _with_token_now(self, token)


cdef _check_token(token)
