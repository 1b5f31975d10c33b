"""Check a saved history again: `python -m tests.history.check FILE...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .checker import check
from .history import load

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Report what is wrong with the history in these files; the exit code is 0 if nothing is, 2 without a history."""
    if not arguments:
        sys.stderr.write("usage: python -m tests.history.check FILE...\n")
        return 2
    try:
        records = load(*map(Path, arguments))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    violations = check(records)
    sys.stdout.writelines(f"{violation}\n" for violation in violations)
    sys.stderr.write(f"{len(records)} records, {len(violations)} violations\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
