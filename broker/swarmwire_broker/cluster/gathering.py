"""Methods that all brokers of a cluster answer together: who has it is found, rows are joined, numbers added."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, structs

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.builtin import Builtin
from ..core.hub import Hub
from ..core.identity import Author
from ..core.pendingcall import PendingCall
from ..core.ports import Promise
from ..core.session import Session
from .asking import Asking, unavailable
from .members import Members
from .presence import facts_of

__all__ = ["Gathering"]

_PATIENCE: Final = 5.0
"""Seconds in which each broker answers its part."""

_COUNT: Final = "count"
_DECODE: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_ROWS: Final = msgspec.json.Decoder(list[Raw]).decode


class _Part:
    """Who asks for one broker's part of an answer."""

    def __init__(self, author: Author, answer: Promise[bytes]) -> None:
        self.author = author
        self.answer = answer

    def begun(self, call: PendingCall) -> None:
        """It is not looked for by its id."""

    def more(self, call: PendingCall, data: bytes) -> bool:
        return True

    def done(self, call: PendingCall, data: bytes, *, end: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def failed(self, call: PendingCall, error: SwarmwireError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def dropped(self, call: PendingCall) -> None:
        """Nobody awaits the answer any more."""


class Gathering:
    """Asks this broker and all others that are there. A broker that does not answer is an error, never left out."""

    def __init__(self, hub: Hub, id: str, members: Members, asking: Asking) -> None:
        self._hub = hub
        self._id = id
        self._members = members
        self._asking = asking

    # ---- whoever has it

    async def find(self, session: Session, builtin: Builtin, raw: Raw) -> Raw:
        """The answer of the broker that has what is named.

        Raises:
            SwarmwireError: NOT_FOUND when all that are there have said so; what the one that has it raised.
        """
        try:
            return Raw(await self._part(self._id, session, builtin, raw))
        except SwarmwireError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            missing = error
        return Raw(await self._first(session, builtin, raw, missing))

    async def _first(self, session: Session, builtin: Builtin, raw: Raw, missing: SwarmwireError) -> bytes:
        """What the first of the others answers that has it, without waiting for the rest."""
        parts = [asyncio.ensure_future(self._part(id, session, builtin, raw)) for id in self._members]
        wrong = missing
        try:
            for part in asyncio.as_completed(parts):
                try:
                    return await part
                except SwarmwireError as error:
                    if error.code is not ErrorCode.NOT_FOUND:
                        wrong = error
        finally:
            for one in parts:
                one.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        raise wrong

    # ---- all together

    async def add(self, session: Session, builtin: Builtin, raw: Raw) -> dict[str, Any]:
        """The sums of the numbers in all answers."""
        sums: dict[str, Any] = {}
        for answer in await self._all(session, builtin, raw):
            for name, number in msgspec.json.decode(answer).items():
                sums[name] = sums.get(name, 0) + number
        return sums

    async def join(self, session: Session, builtin: Builtin, params: Any) -> dict[str, Any]:
        """A page of the rows of all brokers, one broker after the other, each row with the `broker` it is from."""
        ids = sorted([self._id, *self._members])
        raw = Raw(msgspec.json.encode(structs.replace(params, offset=0)))
        if params.offset:  # where the page begins is known by the counts alone
            raw = Raw(msgspec.json.encode(structs.replace(params, offset=0, limit=0)))
        answers = dict(zip(ids, await self._all(session, builtin, raw, ids), strict=True))
        pages = {id: _page(answer) for id, answer in answers.items()}
        if params.offset:
            await self._turn_to(session, builtin, params, pages)
        name = next(iter(pages.values()))[1]
        rows = [_of(id, row) for id in ids for row in pages[id][2]]
        return {_COUNT: sum(page[0] for page in pages.values()), name: rows[: params.limit]}

    async def _turn_to(
        self, session: Session, builtin: Builtin, params: Any, pages: dict[str, tuple[int, str, list[Raw]]]
    ) -> None:
        """Read the rows that a page has of each broker."""
        skipped, wanted = params.offset, params.limit
        for id in sorted(pages):
            count, name, _ = pages[id]
            if skipped >= count or not wanted:
                skipped = max(0, skipped - count)
                continue
            raw = Raw(msgspec.json.encode(structs.replace(params, offset=skipped, limit=wanted)))
            _, _, rows = _page(await self._part(id, session, builtin, raw))
            pages[id] = count, name, rows
            skipped, wanted = 0, wanted - len(rows)

    # ---- one part

    async def _all(self, session: Session, builtin: Builtin, raw: Raw, ids: Sequence[str] | None = None) -> list[bytes]:
        ids = [self._id, *self._members] if ids is None else ids
        return await asyncio.gather(*(self._part(id, session, builtin, raw) for id in ids))

    async def _part(self, id: str, session: Session, builtin: Builtin, raw: Raw) -> bytes:
        """What one broker answers."""
        method, clock = builtin.method, self._hub.clock
        asker = _Part(session.author, clock.promise())
        call = PendingCall(clock, asker, 0, method.name, _PATIENCE)

        def lost() -> SwarmwireError:
            if method.looks:
                return unavailable("A broker of the cluster has gone meanwhile.")
            return SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "A broker of the cluster has gone meanwhile.")

        if id == self._id:
            self._hub.calls.serve(session, call, raw)
        else:
            self._asking.hand(call, id, raw, lost, caller=facts_of(session))
        try:
            return await asker.answer
        finally:
            call.drop()


def _page(answer: bytes) -> tuple[int, str, list[Raw]]:
    """The count of an answer, and its rows with their name."""
    fields = _DECODE(answer)
    count = int(bytes(fields.pop(_COUNT)))
    name, rows = next(iter(fields.items()))
    return count, name, _ROWS(rows)


def _of(id: str, row: Raw) -> Raw:
    """A row with the broker that it is from."""
    return Raw(b'{"broker":"%b",%b' % (id.encode(), bytes(row)[1:]))
