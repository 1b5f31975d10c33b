"""The script `swarmwire`, and `python -m swarmwire_broker`."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = {
    *("cryptography", "httptools", "jwt", "prometheus_client", "rich"),
    *("starlette", "structlog", "typer", "uvicorn", "uvloop"),
}


def main() -> int:
    """Run the command line; returns the exit code. Without the `broker` extra it says what to install."""
    try:
        from .cli import run

        return run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(f"{error.name} is not installed: pip install 'swarmwire[broker]'", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
