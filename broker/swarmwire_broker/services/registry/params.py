"""What the methods of the registry take. Times are in milliseconds."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, UnsetType

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.methods import Params
from .beings import BeingRecord, Presence
from .wills import WillWanted

__all__ = ["Heartbeat", "ListBeings", "OneBeing", "Register", "Unregister", "checked_ttl"]

_LEAST_TTL = 1_000
_MOST_TTL = 86_400_000

_Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
_Word = Annotated[str, Meta(min_length=1, max_length=64)]
_Words = Annotated[tuple[_Word, ...], Meta(max_length=64)]
_Epoch = Annotated[int, Meta(ge=0, le=2**53)]


class Register(Params, kw_only=True):
    """A being that is there from now on. Without an `id` the broker makes one.

    `owner` tells registrations of one client apart; `epoch` is what a registrant that comes back held.
    """

    name: _Name
    kind: _Word
    id: _Name | None = None
    capabilities: _Words = ()
    metadata: Raw = Raw(b"{}")
    status: _Name | None = None
    ttl: int = 30_000
    will: WillWanted | None = None
    owner: Annotated[str, Meta(max_length=128)] = ""
    epoch: _Epoch | None = None


class Heartbeat(Params, kw_only=True):
    """It is still there; what is given replaces what was told before."""

    id: str
    epoch: _Epoch
    metadata: Raw | UnsetType = UNSET
    status: _Name | UnsetType = UNSET


class Unregister(Params, kw_only=True):
    """It goes, of its own will."""

    id: str
    epoch: _Epoch


class OneBeing(Params, kw_only=True):
    """The being of this id."""

    id: str


class ListBeings(Params, kw_only=True):
    """Beings for which all of this is true; of `capabilities` they have every one."""

    kind: str | None = None
    name: str | None = None
    capabilities: _Words = ()
    state: Presence | None = None
    limit: Annotated[int, Meta(ge=0, le=1_000)] = 100
    offset: Annotated[int, Meta(ge=0, le=2**53)] = 0

    def fits(self, record: BeingRecord, capabilities: set[str]) -> bool:
        """Whether a being of the right kind is one of these; `capabilities` are this one's, as a set."""
        return (
            (self.name is None or record.name == self.name)
            and (self.state is None or record.presence is self.state)
            and (not capabilities or capabilities.issubset(record.capabilities))
        )


def checked_ttl(ttl: int) -> int:
    """A ttl that is within what may be asked for.

    Raises:
        SwarmwireError: INVALID_MESSAGE.
    """
    if not _LEAST_TTL <= ttl <= _MOST_TTL:
        sentence = f"Expected a ttl of {_LEAST_TTL} to {_MOST_TTL} ms, got {ttl}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.ttl")
    return ttl
