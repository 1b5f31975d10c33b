cimport cython

from ..engines.patterntree cimport Pattern, PatternNode, matching, plant, uproot
from ..engines.topicindex cimport TopicIndex


@cython.final
cdef class Route:
    cdef public tuple nodes
    cdef public tuple shared
    cdef public tuple own
    cdef public long long seen
    cdef public Py_ssize_t topics

    @cython.locals(node=Pattern)
    cpdef renew(self, long long changes)
    @cython.locals(node=Pattern, found=list)
    cdef bint _collect_few(self) except -1
    @cython.locals(node=Pattern, shared=dict, own=dict)
    cdef _collect_all(self)


@cython.final
cdef class Router:
    cdef Py_ssize_t _max_topics
    cdef long long _changes
    cdef PatternNode _root
    cdef public dict _literal
    cdef public dict _wild
    cdef public dict _routes
    cdef public dict _known
    cdef public TopicIndex _known_topics

    @cython.locals(node=Pattern)
    cpdef bint want(self, str pattern) except -1
    @cython.locals(node=Pattern)
    cpdef bint unwant(self, str pattern) except -1
    @cython.locals(node=Pattern)
    cpdef add(self, str pattern, receiver)
    @cython.locals(node=Pattern, left="long long")
    cpdef remove(self, str pattern, receiver)
    @cython.locals(node=Pattern)
    cpdef list holders(self, str pattern)
    @cython.locals(node=Pattern)
    cdef Pattern _held(self, str pattern)
    @cython.locals(node=Pattern)
    cdef Pattern _planted(self, str pattern)
    cdef _touch(self, Pattern node)
    @cython.locals(pattern=str)
    cdef _drop_unused(self, Pattern node)
    @cython.locals(route=Route)
    cpdef Route route(self, str topic)
    @cython.locals(segments=list, found=list, nodes=tuple, route=Route)
    cdef Route _resolve(self, str topic)
    cdef _forget_oldest(self)
    @cython.locals(topics=list)
    cdef _forget_matching(self, Pattern node)
    @cython.locals(route=Route)
    cdef _forget(self, str topic)
    cdef _forget_all(self)
