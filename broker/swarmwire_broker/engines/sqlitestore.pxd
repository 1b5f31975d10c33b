cimport cython

from .entry cimport Entry

@cython.locals(entry=Entry, count="long long", size="long long", rule="long long", of="long long")
cdef dict _grown(list entries, dict topics)
cdef _grow(dict grown, long long rule, long long count, long long size)
@cython.locals(entry=Entry, found=set)
cdef set _unknown(list entries, dict known)
