cimport cython


@cython.final
cdef class TokenBucket:
    cdef public double rate
    cdef public double burst
    cdef double _tokens
    cdef double _at
    cdef public double spent

    cpdef double take(self, double n, double now)
    @cython.locals(tokens=double)
    cpdef bint has(self, double n, double now)
    @cython.locals(missing=double)
    cpdef double wait(self, double n, double now)
    cpdef spend(self, double n)
    cpdef charge(self, double n, double now)
    cpdef charge_for_others(self, double n, double now)
    cdef _refill(self, double now)


@cython.final
cdef class _Meter:
    cdef public TokenBucket messages
    cdef public long long users
    cdef public TokenBucket bytes


cdef class SessionRates:
    cdef object _limiter
    cdef str _subject
    cdef tuple _messages
    cdef tuple _bytes
    cdef bint _closed
    cdef bint _shared
    cdef public bint by_topic

    @cython.locals(bucket=TokenBucket, wait=double)
    cpdef double message(self, double size, double now)
    @cython.locals(bucket=TokenBucket)
    cpdef bint messages(self, double count, double size, double now)
    @cython.locals(bucket=TokenBucket)
    cpdef give_back(self, double count, double size)
    @cython.locals(bucket=TokenBucket)
    cpdef charge(self, double size, double now)
    cpdef double publish(self, str topic, double now)
