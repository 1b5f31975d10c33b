"""Who is at the other end of a Unix socket, as the kernel says, and who may be."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Collection
from typing import Final, NamedTuple, cast

__all__ = ["Allowed", "Credentials", "credentials_of", "is_own", "own_subjects"]

_ROOT: Final = 0


class Credentials(NamedTuple):
    """The process that connected, as it was when it did.

    Attributes:
        groups: its groups, the supplementary ones too where the kernel tells them.
    """

    pid: int
    uid: int
    groups: frozenset[int]

    @property
    def subject(self) -> str:
        """The identity that the kernel vouches for."""
        return f"uid:{self.uid}"

    @property
    def executable(self) -> str | None:
        """The program that the process runs; None where this cannot be read.

        The process is found by its number. One that connects, ends and leaves its number to another is taken for the
        other, and one that connects and then executes another program is taken for that one; so this keeps out
        programs, not a hostile user, who is kept out by the uid.
        """
        try:
            return os.readlink(f"/proc/{self.pid}/exe")
        except OSError:
            return None


class Allowed(NamedTuple):
    """Who may connect: the broker's own user and root, and whom the lists name.

    Attributes:
        uids, gids: further users, and members of groups.
        executables: if there are any, nobody may connect but with one of these programs (absolute paths).
    """

    uids: Collection[int] = ()
    gids: Collection[int] = ()
    executables: Collection[str] = ()

    @property
    def has_others(self) -> bool:
        """Whether users other than the broker's own may connect."""
        return bool(self.uids or self.gids)

    def permits(self, who: Credentials) -> bool:
        if not (is_own(who.uid) or who.uid in self.uids or not who.groups.isdisjoint(self.gids)):
            return False
        return not self.executables or who.executable in self.executables


def is_own(uid: int) -> bool:
    """Whether this user could do to the broker what it liked without asking: its own, or root."""
    return f"uid:{uid}" in own_subjects()


def own_subjects() -> frozenset[str]:
    """The identities of the broker's own user and of root; none where there are no such users."""
    user = getattr(os, "geteuid", None)
    return frozenset() if user is None else frozenset((f"uid:{_ROOT}", f"uid:{user()}"))


def credentials_of(connected: socket.socket) -> Credentials:
    """The credentials of the other end of a connected Unix socket.

    Raises OSError where the kernel does not tell them.
    """
    return _read(connected)


if sys.platform == "darwin":
    _LEVEL: Final = 0  # SOL_LOCAL
    _LOCAL_PEERCRED: Final = 1
    _LOCAL_PEERPID: Final = 2
    _XUCRED: Final = struct.Struct("=IIh2x16I")

    def _read(connected: socket.socket) -> Credentials:
        _, uid, count, *groups = _XUCRED.unpack(connected.getsockopt(_LEVEL, _LOCAL_PEERCRED, _XUCRED.size))
        pid = connected.getsockopt(_LEVEL, _LOCAL_PEERPID)
        return Credentials(pid, uid, frozenset(groups[:count]))

elif sys.platform == "linux":
    _UCRED: Final = struct.Struct("=iII")
    _SO_PEERGROUPS: Final = 59
    _MOST_GROUPS: Final = 256  # as many as getsockopt has room for

    def _read(connected: socket.socket) -> Credentials:
        answer = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, gid = cast(tuple[int, int, int], _UCRED.unpack(answer))
        return Credentials(pid, uid, _groups(connected) | {gid})

    def _groups(connected: socket.socket) -> frozenset[int]:
        try:
            answer = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
        except OSError:  # an old kernel, or more groups than there is room for: the first counts
            return frozenset()
        return frozenset(struct.unpack(f"={len(answer) // 4}I", answer))

else:

    def _read(connected: socket.socket) -> Credentials:
        raise OSError("the credentials of a Unix socket cannot be read on this system")
