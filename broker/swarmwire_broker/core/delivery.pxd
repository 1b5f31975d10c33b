cimport cython

from ..engines.entry cimport Entry
from .outbox cimport Outbox
from .router cimport Route, Router
from .stats cimport Stats
from .turn cimport Run, new_run


cdef double _SPARSE
cdef double _COSTLY


cdef class Delivery:
    cdef public object engine
    cdef public object limits
    cdef public Stats stats
    cdef public object clock
    cdef object _time
    cdef public Router router
    cdef public object catchup
    cdef public set outboxes
    cdef public set dropping
    cdef public bint crowded
    cdef list _runs
    cdef list _dirty
    cdef list _draining
    cdef bint _scheduled
    cdef bint _is_reading
    cdef bint _is_wanted
    cdef double _read_at
    cdef double _turn_began
    cdef double _turn_ended
    cdef bint _is_remote
    cdef bint _is_costly
    cdef object _retrying
    cdef public long long unaudited
    cdef long long _audit_every
    cdef public object others
    cdef public object wanted

    @cython.locals(receivers=tuple, run=Run, route=Route, hidden_from=str)
    cpdef deliver(self, Entry entry)
    cdef Run _begin(self, tuple receivers, long long seq, str hidden_from)
    cpdef touch(self, Outbox outbox)
    cpdef schedule(self)
    cpdef begin_read(self)
    cpdef end_read(self, bint large)
    cpdef end_turn(self)
    @cython.locals(runs=list, run=Run, outbox=Outbox, began=double)
    cpdef flush(self)
    @cython.locals(run=Run, count="long long")
    cdef _observe(self, list runs)
    @cython.locals(outbox=Outbox)
    cdef _spread(self, Run run)
    cdef _give(self, Outbox outbox, Run run)
    @cython.locals(outbox=Outbox, last="long long", written="Py_ssize_t")
    cdef _spread_alone(self, Run run)
    cpdef bint has_room(self, Outbox outbox)
    cdef _audit(self)
    cdef _look_at_all(self)
    @cython.locals(outbox=Outbox, dirty=list)
    cdef _flush_dirty(self)
    cdef _drain(self)
