cimport cython

from ..entry cimport Entry
from ..matcher cimport Matcher
from ..topicindex cimport TopicIndex
from ..window cimport Window


cdef long long _ENTRY_OVERHEAD


@cython.final
cdef class Ring:
    cdef public long long head
    cdef public long long oldest
    cdef public long long bytes
    cdef long long _max_events
    cdef long long _max_bytes
    cdef long long _floor
    cdef Window _ring
    cdef dict _by_topic
    cdef TopicIndex _topics
    cdef object _coverage

    @cython.locals(same=Window)
    cpdef append(self, Entry entry)
    cpdef advance(self, long long head)
    @cython.locals(entry=Entry)
    cpdef evict_below(self, long long oldest)
    @cython.locals(entry=Entry, same=Window)
    cdef _let_go(self)
    @cython.locals(start=Py_ssize_t)
    cpdef read(self, Matcher matcher, long long after, object limit)
    @cython.locals(entry=Entry, size=Py_ssize_t, scanned=Py_ssize_t, found=list, stretch=list)
    cdef _walk(self, Matcher matcher, Py_ssize_t start, object limit)
    @cython.locals(entry=Entry, size=Py_ssize_t, most=Py_ssize_t)
    cdef _read_topics(self, list topics, long long after, object limit)
