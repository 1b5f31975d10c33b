cimport cython

from .entry cimport Entry

@cython.locals(first=Entry, entry=Entry, place=tuple, index=Py_ssize_t, values=list)
cdef _plain_values(list entries, Py_ssize_t start, Py_ssize_t end, dict topics)
