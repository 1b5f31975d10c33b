"""Locks without a broker: files of this machine, and the kernel behind them.

    from swarmwire import local

    with local.lock("config-file", wait=5) as lock:
        ...

`docs/locks.md` says what these lack beside the broker's. Needs `pip install swarmwire[local]`.
"""

from .filelocks import LocalLock, is_locked, lock
from .lockplaces import LOCK_VARIABLE, lock_directory

__all__ = ["LOCK_VARIABLE", "LocalLock", "is_locked", "lock", "lock_directory"]
