cdef class LoopClock:
    cdef object _loop
    cdef set _tasks
    cdef public object time

    cpdef long long now_ms(self)
