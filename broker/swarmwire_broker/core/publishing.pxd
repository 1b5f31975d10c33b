cimport cython

from ..engines.entry cimport new_draft
from .hooks cimport Hooks
from .identity cimport Author
from .signals cimport Signals
from .stats cimport Stats


@cython.final
cdef class Topic:
    cdef public str name
    cdef public bytes head
    cdef public tuple guards


cdef class Publishing:
    cdef object _delivery
    cdef Stats _stats
    cdef object _append
    cdef object _append_all
    cdef public Hooks hooks
    cdef public bint defers
    cdef Signals _signals
    cdef dict _topics
    cdef dict _guards
    cdef tuple _reserved

    @cython.locals(topic=Topic)
    cpdef publish(self, object message, Author author, object done)
    @cython.locals(topic=Topic, scoped=tuple)
    cpdef publish_plain(self, str name, bytes data, Author author, object done, str key=*)
    @cython.locals(topic=Topic, drafts=list, data=bytes, size="Py_ssize_t")
    cpdef bint publish_run(self, str name, list run, Author author) except -1
    cdef bint _regards_each(self, Topic topic, Author author) except -1
    cdef _count(self, Topic topic, bytes data, Author author)
    @cython.locals(topic=Topic)
    cdef Topic _admit(self, str name, Author author)
    cdef Topic _learn(self, str name)
    cdef _check_key(self, str key)


cdef bint _may_publish(Author author, str name) except -1
