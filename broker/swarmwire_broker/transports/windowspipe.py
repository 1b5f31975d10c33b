"""What a named pipe needs of Windows beyond what asyncio asks for: for its owner alone, on this machine alone.

The modules of Windows are loaded where they are used, so that this one can be read anywhere.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["is_taken", "new_instance"]

_OWNER_ONLY: Final = "D:P(A;;GA;;;OW)"
"""In the system's own language: a protected list with one entry, all rights to the owner."""

_REVISION: Final = 1
_REJECT_REMOTE_CLIENTS: Final = 0x8
_BUFFER: Final = 64 * 1024


class _SecurityAttributes(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint32), ("descriptor", ctypes.c_void_p), ("inherit", ctypes.c_int))


def is_taken(address: str) -> bool:
    """Whether somebody listens at this pipe, or has just accepted there."""
    winapi: Any = importlib.import_module("_winapi")
    try:
        winapi.WaitNamedPipe(address, 1)
    except FileNotFoundError:
        return False
    except OSError:  # nobody was free within a millisecond
        return True
    return True


def new_instance(address: str, *, is_first: bool = False) -> Any:
    """An instance of a pipe, which a client can connect to at once; it closes by `close`.

    Raises:
        PermissionError: `is_first`, and there is one already, or the name belongs to somebody else.
        OSError: the system has none for us.
    """
    winapi: Any = importlib.import_module("_winapi")
    utils: Any = importlib.import_module("asyncio.windows_utils")
    flags = winapi.PIPE_ACCESS_DUPLEX | winapi.FILE_FLAG_OVERLAPPED
    if is_first:
        flags |= winapi.FILE_FLAG_FIRST_PIPE_INSTANCE
    with _owner_only() as attributes:
        handle = winapi.CreateNamedPipe(
            address,
            flags,
            winapi.PIPE_WAIT | _REJECT_REMOTE_CLIENTS,  # of bytes, not of messages
            winapi.PIPE_UNLIMITED_INSTANCES,
            _BUFFER,
            _BUFFER,
            0,
            ctypes.addressof(attributes),
        )
    return utils.PipeHandle(handle)


@contextmanager
def _owner_only() -> Iterator[_SecurityAttributes]:
    windll: Any = getattr(ctypes, "WinDLL")  # noqa: B009 - other systems do not have it
    advapi, kernel = windll("advapi32", use_last_error=True), windll("kernel32", use_last_error=True)
    kernel.LocalFree.argtypes = (ctypes.c_void_p,)
    descriptor = ctypes.c_void_p()
    convert = advapi.ConvertStringSecurityDescriptorToSecurityDescriptorW
    if not convert(ctypes.c_wchar_p(_OWNER_ONLY), _REVISION, ctypes.byref(descriptor), None):
        raise getattr(ctypes, "WinError")(getattr(ctypes, "get_last_error")())  # noqa: B009
    try:
        yield _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, 0)
    finally:
        kernel.LocalFree(descriptor)
