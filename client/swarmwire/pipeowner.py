"""Whose a named pipe of Windows is: a name there belongs to whoever takes it first, another user too.

The libraries of Windows are loaded where they are used, so that this module can be read anywhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["is_own"]

_KERNEL_OBJECT: Final = 6
_OWNER: Final = 1
_QUERY: Final = 8
_TOKEN_USER: Final = 1
_TOKEN_OWNER: Final = 4
_SELF: Final = -1
_ROOM: Final = 512
"""Bytes for a user and what the system says of it; 76 are needed at most."""


def is_own(handle: int) -> bool:
    """Whether an open pipe belongs to the user of this process. Raises OSError where the system does not tell."""
    advapi, kernel = _library("advapi32"), _library("kernel32")
    with _owner_of(advapi, kernel, handle) as owner, _token(advapi, kernel) as token:
        # What a process makes belongs to its user, or, where it runs elevated, to the administrators.
        return any(_is_same(advapi, token, kind, owner) for kind in (_TOKEN_USER, _TOKEN_OWNER))


@contextmanager
def _owner_of(advapi: Any, kernel: Any, handle: int) -> Iterator[ctypes.c_void_p]:
    owner, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
    found = (ctypes.byref(owner), None, None, None, ctypes.byref(descriptor))
    if code := advapi.GetSecurityInfo(ctypes.c_void_p(handle), _KERNEL_OBJECT, _OWNER, *found):
        raise _error(code)
    try:
        yield owner
    finally:
        kernel.LocalFree(descriptor)


@contextmanager
def _token(advapi: Any, kernel: Any) -> Iterator[ctypes.c_void_p]:
    """What says who this process is."""
    token = ctypes.c_void_p()
    if not advapi.OpenProcessToken(ctypes.c_void_p(_SELF), _QUERY, ctypes.byref(token)):
        raise _error()
    try:
        yield token
    finally:
        kernel.CloseHandle(token)


def _is_same(advapi: Any, token: ctypes.c_void_p, kind: int, owner: ctypes.c_void_p) -> bool:
    answer, needed = ctypes.create_string_buffer(_ROOM), ctypes.c_uint32()
    if not advapi.GetTokenInformation(token, kind, answer, _ROOM, ctypes.byref(needed)):
        raise _error()
    # Both kinds of answer begin with the address of the user.
    return bool(advapi.EqualSid(ctypes.c_void_p.from_buffer(answer), owner))


def _library(name: str) -> Any:
    return getattr(ctypes, "WinDLL")(name, use_last_error=True)  # noqa: B009 - other systems do not have it


def _error(code: int | None = None) -> OSError:
    failure = getattr(ctypes, "WinError")  # noqa: B009
    error: OSError = failure(getattr(ctypes, "get_last_error")() if code is None else code)  # noqa: B009
    return error
