cimport cython


cdef class Histogram:
    cdef public tuple bounds
    cdef public list counts
    cdef public double total

    @cython.locals(place="Py_ssize_t", last="Py_ssize_t", bound=double)
    cpdef observe(self, double seconds, long long count=*)


cdef class Stats:
    cdef public Histogram batches
    cdef public Histogram commits
    cdef public long long connections_opened
    cdef public long long connections_closed
    cdef public long long publishes
    cdef public long long publish_bytes
    cdef public long long deliveries
    cdef public long long delivery_bytes
    cdef public long long drops
    cdef public long long duplicates
    cdef public long long ephemeral_skipped
    cdef public dict errors
    cdef public dict gaps
    cdef public dict gauges
    cdef public Histogram latency
    cdef public long long logins_failed
    cdef public long long refused_connections
    cdef public long long replays
