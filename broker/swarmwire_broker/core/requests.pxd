cimport cython

from .publishing cimport Publishing
from .session cimport Session


cpdef decide(Session session, message)
@cython.locals(publishing=Publishing)
cpdef publish_plain(Session session, str topic, bytes data, object request_id, str key=*)
cdef _check_unused(Session session, object request_id)
cdef _slow_down(Session session)
cdef _outstanding(Session session, object request_id)
cdef _forget(Session session, object request_id)
cpdef _published(Session session, object request_id, object outcome)
cdef _begin(Session session, object request_id, list results, list accepted, list starts)
