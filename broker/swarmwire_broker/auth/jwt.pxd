cdef class JwtSource:
    cdef object _keys
    cdef public bint waits
    cdef object _audience
    cdef object _issuer
    cdef double _leeway
    cdef public object _plain
    cdef object _permissions

    cpdef verify_now(self, token)
    cdef _verify_by(self, key, token)
    cdef _plain_claims(self, token)
    cdef _claims(self, token, key)
    cdef _login(self, claims)


cdef bint _is_in_order(claims, double now, double leeway) except -1
cdef _seconds(claims, str name)
