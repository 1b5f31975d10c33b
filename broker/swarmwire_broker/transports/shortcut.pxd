from .fastpath cimport FastConnection
from .upgrade cimport UpgradeReader, switching_protocols


cdef class Entrance:
    cdef public object house
    cdef public object long_way
    cdef public str path
    cdef object _sites
    cdef UpgradeReader _reader
    cdef list _pairs
    cdef bytes _headers

    cpdef read(self, bytes data)
    cpdef bytes headers(self, list pairs)


cdef class ShortcutProtocol:
    cdef Entrance _entrance
    cdef object _config
    cdef object _state
    cdef object _app_state
    cdef public object _timer
    cdef object _transport

    cpdef data_received(self, data)  # not every loop hands out bytes
    cdef _allowed(self, bytes data)
    cdef _accept(self, asked, bytes data)
    cdef _go_the_long_way(self, bytes data)
    cdef _let_go(self)


cdef str _address(transport)
