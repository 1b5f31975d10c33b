"""Named pipes, as this operating system has them."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from .pipes_windows import open_pipe
else:
    from .pipes_posix import open_pipe

__all__ = ["open_pipe"]
