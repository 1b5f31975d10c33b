"""What the bench ran on: without it no figure means anything."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from .peers import PEERS
from .processes import words

__all__ = ["describe", "version_of"]


def describe(peers: tuple[str, ...]) -> dict[str, str]:
    """The machine, and the version of every server."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version_of(name) for name in peers if PEERS[name].version is not None},
    }


def version_of(name: str) -> str:
    """The version that a server tells of itself."""
    command = PEERS[name].version
    if command is None:
        return "of this project"
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))
    try:
        done = subprocess.run(
            words(command), capture_output=True, text=True, timeout=20, env={**os.environ, "PATH": path}
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1].strip() if found else "unknown"
