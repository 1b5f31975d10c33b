cimport cython


cdef class Pattern:
    cdef public str text
    cdef public object holders
    cdef public long long changed
    cdef public unsigned int wanted


@cython.final
cdef class PatternNode(Pattern):
    cdef public dict below
    cdef public PatternNode one
    cdef public PatternNode many
    cdef public tuple rest


@cython.locals(node=PatternNode, below=PatternNode, segments=list, segment=str, rest=tuple)
cpdef PatternNode plant(PatternNode root, str pattern)

@cython.locals(node=PatternNode, way=list, segment=str)
cpdef uproot(PatternNode root, str pattern)

cdef PatternNode _child(PatternNode node, str segment)
cdef _put(PatternNode node, str segment, PatternNode child)
cdef _cut(PatternNode node, str segment)

@cython.locals(between=PatternNode)
cdef PatternNode _parted(PatternNode parent, str segment, PatternNode node)

cdef bint _is_leaf(PatternNode node) except -1

cdef tuple _shared(tuple rest)

@cython.locals(found=list, below=PatternNode)
cpdef list matching(PatternNode root, list segments)

@cython.locals(below=PatternNode)
cdef _walk(PatternNode node, list segments, Py_ssize_t index, dict least, list found)

cdef _arrive(PatternNode node, list segments, Py_ssize_t index, dict least, list found)

@cython.locals(end=Py_ssize_t, place=Py_ssize_t, taken=Py_ssize_t)
cdef _spread(PatternNode many, list segments, Py_ssize_t index, dict least, list found)

@cython.locals(wanted=str)
cdef bint _fits(tuple rest, list segments, Py_ssize_t index) except -1
