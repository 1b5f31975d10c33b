cdef class DedupeTable:
    cdef long long _dedupe_ms
    cdef long long _max_keys
    cdef long long _max_keys_per_scope
    cdef object _places
    cdef readonly dict _untils
    cdef long long _last_until
    cdef public long long forgotten

    cpdef find(self, tuple key, long long now_ms)
    cpdef check_room(self, tuple key, long long now_ms, long long waiting=*, long long waiting_of_scope=*)
    cpdef remember(self, tuple key, long long seq, long long now_ms)
    cpdef restore(self, tuple key, long long seq, long long until)
    cpdef clear(self)
    cdef _forget(self, long long now_ms)
    cdef _forget_until(self, str scope, long long until)
    cdef _full(self, str what, long long wait_ms)
