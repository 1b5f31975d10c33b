cimport cython


cdef int _LETTER_H
cdef int _LETTER_M
cdef int _RETURN
cdef int _NEWLINE


cdef class Parser:
    cdef dict _receivers
    cdef object _control
    cdef Py_ssize_t _most
    cdef bytearray _held
    cdef Py_ssize_t _needed

    @cython.locals(done=Py_ssize_t)
    cpdef feed(self, bytes data)
    @cython.locals(
        place=Py_ssize_t,
        size=Py_ssize_t,
        line=Py_ssize_t,
        start=Py_ssize_t,
        end=Py_ssize_t,
        length=Py_ssize_t,
        begins=Py_ssize_t,
        count=Py_ssize_t,
        letter=int,
        is_message=bint,
        fields=list,
    )
    cdef Py_ssize_t _hand_out(self, bytes data) except -1
    cdef _control_line(self, bytes line)
