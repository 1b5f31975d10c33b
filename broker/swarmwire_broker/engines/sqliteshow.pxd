cimport cython

from .entry cimport Draft, Entry, stored_at
from .latest cimport LatestTable
from .log cimport Log
from .writequeue cimport WriteQueue

@cython.locals(place=Py_ssize_t, draft=Draft, entry=Entry)
cpdef show(
    list items, list entries, long long until, Log window, LatestTable table, WriteQueue queue, object listener
)
cdef list _decided(object change, WriteQueue queue)
cdef _appear(Entry entry, Draft draft, Log window, LatestTable table, WriteQueue queue, object listener)
