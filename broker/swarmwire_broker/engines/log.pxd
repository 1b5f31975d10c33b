cimport cython

from .entry cimport Entry
from .matcher cimport Matcher
from .topicindex cimport TopicIndex
from .window cimport Window


cdef long long _ENTRY_OVERHEAD


@cython.final
cdef class Log:
    cdef public long long head
    cdef public long long oldest
    cdef public long long bytes
    cdef public double _max_events
    cdef double _max_bytes
    cdef object _max_age_ms
    cdef public Window _ring
    cdef dict _by_topic
    cdef TopicIndex _topics

    @cython.locals(seq="long long", places=Window)
    cpdef append(self, Entry entry)
    cpdef evict_older(self, long long now_ms)
    @cython.locals(entry=Entry, places=Window)
    cdef _evict_one(self)
    @cython.locals(entry=Entry)
    cpdef Entry _at(self, long long seq)
    @cython.locals(entry=Entry, size="Py_ssize_t", begin="long long", start="Py_ssize_t", entries=list)
    cdef object _walk(self, Matcher matcher, long long after, object limit)
