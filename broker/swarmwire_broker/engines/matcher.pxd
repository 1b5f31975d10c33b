cimport cython

from .patterntree cimport PatternNode


@cython.final
cdef class Matcher:
    cdef public tuple literals
    cdef public tuple wildcards
    cdef frozenset _exact
    cdef PatternNode _root
    cdef public dict _known
