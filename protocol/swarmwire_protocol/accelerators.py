"""The busiest small functions of the data plane: compiled where the package was built so, else in Python.

`fallbacks` says what each of them promises.
"""

from __future__ import annotations

try:
    from .speedups import encode_event, is_text, join_frames, scan_publish, unmask
except ImportError:  # built without a C compiler
    from .fallbacks import encode_event, is_text, join_frames, scan_publish, unmask

__all__ = ["encode_event", "is_text", "join_frames", "scan_publish", "unmask"]
