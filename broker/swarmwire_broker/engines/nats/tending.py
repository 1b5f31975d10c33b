"""Seeing to the log: it is asked what it holds, made when it is gone, and trusted again after a fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol

from swarmwire_protocol.errors import SwarmwireError

from ...natslink.errors import ApiError, LinkDown, LinkError, LinkRefused, NoResponders
from ...natslink.link import Link
from ...natslink.states import LinkState
from .publishing.pending import unavailable
from .shared import Shared
from .state.storage import StorageAway
from .streams import EngineMismatch, LogStream, StreamFacts

__all__ = ["Tended", "Tending"]

log = logging.getLogger("swarmwire.broker.engine")

_TICK: Final = 0.25
_TIMEOUT: Final = 2.0
_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_MOMENT: Final = 4
"""Ticks for which nothing can be written before publishers are refused instead of kept waiting."""

_LOOKS: Final = 3
_LOOK_PAUSE: Final = 0.3
_ELECTION: Final = 20.0
"""Seconds for which servers that keep a log together must say that it is shorter than it was before it is believed: one
that was cut off from the others takes itself for their leader for a while, and asks nobody what it holds."""


class Tended(Protocol):
    """What the log's keeper keeps."""

    @property
    def known(self) -> int:
        """A place that the log has reached for certain."""

    @property
    def has_fallen(self) -> bool:
        """Whether an acknowledgement says that it is not there any more."""

    @property
    def is_open(self) -> bool:
        """Whether publishes are sent."""

    def pause(self) -> None:
        """The link is about to be that to another server: what was published is answered still, by this one."""

    def lost(self) -> None:
        """The link is down."""

    def resume(self) -> None:
        """All is well: publish, and follow."""

    def learn(self, facts: StreamFacts) -> None:
        """This is what the log holds."""

    def renew(self) -> None:
        """The log is another one now."""

    def refuse(self, refusal: SwarmwireError | None) -> None:
        """Take no publishes; None: take them again."""

    def tick(self) -> None:
        """A quarter of a second has passed, or more."""


class Tending:
    """Keeps what depends on the log in step with it.

    Arguments:
        tended: what is told.
        start_timeout: seconds for the servers to be reached and to have the log ready.

    Attributes:
        facts: what the log said of itself last.
        trouble: why it cannot be written; None while it can.
    """

    def __init__(self, link: Link, stream: LogStream, tended: Tended, *, start_timeout: float) -> None:
        self.trouble: str | None = None
        self._link = link
        self._stream = stream
        self._tended = tended
        self._start_timeout = start_timeout
        self._facts: StreamFacts | None = None
        self._doubted = asyncio.Event()
        self._why = ""
        self._short_since: float | None = None
        self._shut = 0  # ticks for which nothing could be written
        self._keeper: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look = Shared(self._ask)
        self._forget_state: Callable[[], None] | None = None

    @property
    def facts(self) -> StreamFacts:
        assert self._facts is not None
        return self._facts

    @property
    def epoch(self) -> str:
        """The name of the log, empty before it was asked for the first time."""
        return self._facts.epoch if self._facts is not None else ""

    @property
    def first(self) -> int:
        """The first place that the log held when it was asked last."""
        return self._facts.first if self._facts is not None else 1

    @property
    def last(self) -> int:
        """The last place that the log had reached then."""
        return self._facts.last if self._facts is not None else 0

    @property
    def clustered(self) -> bool:
        """Whether the server is one of several."""
        server = self._link.server
        return server is not None and bool(server.cluster)

    # ---- life

    async def start(self, rest: Callable[[float], Awaitable[None]]) -> None:
        """Reach the servers and the log, and start the rest, which is given the seconds that are left.

        While a cluster comes up, or chooses a leader, all this is tried again.

        Raises:
            EngineMismatch: the log is there, and not as it should be.
            LinkError: it could not be reached, or not be made, in time.
        """
        over, pause = monotonic() + self._start_timeout, _PAUSE
        while True:
            left = max(over - monotonic(), _PAUSE)
            try:
                await self._open(left)
                await rest(max(over - monotonic(), _PAUSE))
            except (LinkRefused, EngineMismatch):
                raise
            except (LinkError, StorageAway) as problem:
                if monotonic() + pause > over:
                    raise self._given_up(problem) from None
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _open(self, timeout: float) -> None:
        if self._link.state is LinkState.NEW:
            await self._link.start()
        server = self._link.server
        if server is not None and not server.jetstream and not server.cluster:
            raise EngineMismatch(f"the NATS server {server.name} has no JetStream: start it with --jetstream")
        self._facts = await self._stream.open(clustered=self.clustered, timeout=timeout)

    def _given_up(self, problem: Exception) -> LinkError:
        if isinstance(problem, NoResponders):
            problem = LinkError("no JetStream answers on the NATS servers: it is off, or has no leader")
        return LinkError(f"{problem}; tried for {self._start_timeout:g} s")

    def watch(self) -> None:
        """Keep it from now on."""
        self._forget_state = self._link.on_state(self._changed)
        self._keeper = asyncio.create_task(self._keep())
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)
        if self._link.state is not LinkState.CONNECTED:
            self._changed(self._link.state)

    async def close(self) -> None:
        """Leave it alone. Harmless twice."""
        keeper, self._keeper = self._keeper, None
        if self._timer is not None:
            self._timer.cancel()
        if self._forget_state is not None:
            self._forget_state()
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        await self._look.close()

    # ---- what is heard

    def _changed(self, state: LinkState) -> None:
        if state is LinkState.LEAVING:
            self._tended.pause()
        elif state is not LinkState.CONNECTED:
            self._tended.lost()
            self._why = "there is no connection to NATS"
        self.doubt()

    def doubt(self) -> None:
        """Something may be wrong with the log: see to it."""
        self._doubted.set()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)
        self._tended.tick()
        self._shut = 0 if self._tended.is_open else self._shut + 1
        if self._shut >= _MOMENT and self.trouble is None:
            self.trouble = self._why or "the servers do not take what is published"
            log.warning("the log cannot be written: %s", self.trouble)
            self._tended.refuse(unavailable())

    # ---- what is done

    async def _keep(self) -> None:
        pause = _PAUSE
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            if self._link.state is not LinkState.CONNECTED:
                continue  # that it is again will be heard
            began = monotonic()
            if await self._goes_on():
                # Where it is doubted again at once, it is not asked again at once.
                await asyncio.sleep(_PAUSE)
                pause = _PAUSE
            else:
                self._doubted.set()
                await asyncio.sleep(max(0.0, pause - (monotonic() - began)))
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _goes_on(self) -> bool:
        try:
            if not await self._is_well():
                return False
            self._resume()
        except Exception:  # of whoever is told: the log is kept all the same
            self._why = "it could not be gone on with the log"
            log.exception("it could not be gone on with the log; trying again")
            return False
        return True

    async def _is_well(self) -> bool:
        try:
            await self.look()
        except LinkError as problem:
            if isinstance(problem, ApiError) and problem.code == 404:
                return await self._is_made()
            self._why = str(problem)
        except Exception as problem:
            self._why = str(problem)
            log.warning("the log cannot be used: %s", problem)
        else:
            return True
        return False

    async def _is_made(self) -> bool:
        """Make the log anew: it is gone."""
        try:
            facts = await self._stream.open(clustered=self.clustered, timeout=_TIMEOUT)
        except (LinkError, EngineMismatch) as problem:
            self._why = str(problem)
            return False
        log.warning("the log was gone, and is made anew")
        self._adopt(facts)
        return True

    def _resume(self) -> None:
        self._tended.resume()
        if self._tended.is_open:
            self._shut = 0
            if self.trouble is not None:
                log.warning("the log can be written again")
            self.trouble = None
            self._tended.refuse(None)

    # ---- looking

    async def look(self) -> StreamFacts:
        """Ask what the log holds at this moment or later, and let it be known.

        Raises:
            LinkError, EngineMismatch: it did not say.
        """
        return await self._look()

    async def _ask(self) -> StreamFacts:
        if self._link.state is not LinkState.CONNECTED:
            raise LinkDown("there is no connection to NATS")
        for attempt in range(_LOOKS):
            if attempt:
                await asyncio.sleep(_LOOK_PAUSE)
            known = self._tended.known
            facts = await self._stream.ask(_TIMEOUT)
            if self._is_former(facts):
                raise LinkError("the server that was asked is behind: it has the log of an earlier generation")
            if facts.epoch != self.facts.epoch or (facts.last >= known and not self._is_emptied(facts)):
                self._short_since = None
                break
        else:
            facts = await self._shortened(facts, known)
        self._adopt(facts)
        return facts

    def _is_former(self, facts: StreamFacts) -> bool:
        """Whether this is the log before it was made another, as a server says that was cut off from the others."""
        known = self.facts
        return facts.created == known.created and facts.generation < known.generation and not facts.settled

    def _is_emptied(self, facts: StreamFacts) -> bool:
        """Whether all is said to be gone that was there: so it seems at a server that catches up with the others."""
        return facts.replicas > 1 and self.facts.first <= facts.last < facts.first and not self._stream.forgets_all

    async def _shortened(self, facts: StreamFacts, known: int) -> StreamFacts:
        """Make another log of one that has lost events, if it certainly has; one that was emptied is the same log.

        Raises:
            LinkError: it is not certain.
        """
        now = monotonic()
        self._short_since = since = self._short_since or now
        is_certain = facts.replicas == 1 or self._tended.has_fallen or (facts.settled and now - since > _ELECTION)
        if not is_certain:
            raise LinkError(
                f"the server that was asked is behind: it has the log from {facts.first} up to {facts.last}"
            )
        if facts.last >= known:
            return facts  # somebody has emptied it
        log.warning("the log has lost events: it ended at %d, and ends at %d", known, facts.last)
        self._short_since = None
        return await self._stream.raise_generation(facts, _TIMEOUT)

    def _adopt(self, facts: StreamFacts) -> None:
        former, self._facts = self.facts, facts
        if facts.epoch != former.epoch:
            log.warning("the log was made anew: its epoch is %s, and was %s", facts.epoch, former.epoch)
            self._tended.renew()
        self._tended.learn(facts)
