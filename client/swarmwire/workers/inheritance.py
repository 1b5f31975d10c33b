"""Handing open pipes over to a process that is started, and ending it with all that it has started itself.

Windows has twins.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

__all__ = ["end_family", "inherited", "name_of", "start_options"]

if sys.platform == "win32":
    import msvcrt

    def name_of(descriptor: int) -> str:
        """What the other process knows an open file by."""
        return str(msvcrt.get_osfhandle(descriptor))

    def inherited(name: str, flags: int) -> int:
        """The descriptor, here, of a file that was handed over by this name. Nobody inherits it from us."""
        handle = int(name)
        os.set_handle_inheritable(handle, False)
        return msvcrt.open_osfhandle(handle, flags)

    def start_options(*descriptors: int) -> dict[str, Any]:
        """The options of subprocess that hand over these, and nothing else, to a process that no key here reaches."""
        handles = [msvcrt.get_osfhandle(descriptor) for descriptor in descriptors]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles})
        return {"startupinfo": startup, "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

    def end_family(pid: int) -> None:
        """End a process at once."""
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)  # which asks nobody there

else:

    def name_of(descriptor: int) -> str:
        """What the other process knows an open file by."""
        return str(descriptor)

    def inherited(name: str, flags: int) -> int:
        """The descriptor, here, of a file that was handed over by this name. Nobody inherits it from us."""
        os.set_inheritable(int(name), False)
        return int(name)

    def start_options(*descriptors: int) -> dict[str, Any]:
        """The options of subprocess that hand over these, and nothing else, to a process that no key here reaches."""
        return {"pass_fds": descriptors, "start_new_session": True}

    def end_family(pid: int) -> None:
        """End a process that was started so at once, and what it has started and left in its group."""
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
