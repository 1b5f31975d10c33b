"""Named pipes, as this operating system has them."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from .pipes_windows import PipeListener
else:
    from .pipes_posix import PipeListener

__all__ = ["PipeListener"]
