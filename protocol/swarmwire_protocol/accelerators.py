"""The busiest small functions of the data plane: compiled where the package was built so, else in Python.

`fallbacks` says what each of them promises.
"""

from __future__ import annotations

try:
    from .speedups import cut_frames, encode_event, is_text, join_frames, join_prefixed, scan_publish, unmask
except ImportError:  # built without a C compiler
    from .fallbacks import cut_frames, encode_event, is_text, join_frames, join_prefixed, scan_publish, unmask

from .fallbacks import PlainPublish

__all__ = [
    "PlainPublish",
    "cut_frames",
    "encode_event",
    "is_text",
    "join_frames",
    "join_prefixed",
    "scan_publish",
    "unmask",
]
