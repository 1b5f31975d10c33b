cimport cython

from .entry cimport Draft, Entry, placed

@cython.locals(index=Py_ssize_t, draft=Draft, key=tuple)
cdef Py_ssize_t _place(list items, Py_ssize_t begin, long long head, long long ts, list entries, list keys) except -1
