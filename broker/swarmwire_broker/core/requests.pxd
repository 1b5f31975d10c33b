cimport cython

from .publishing cimport Publishing
from .session cimport Session


@cython.locals(publishing=Publishing)
cpdef publish_plain(Session session, str topic, bytes data, object request_id)
