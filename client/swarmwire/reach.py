"""From what a user asked for to a welcomed session: at a URL, or with the broker of a name on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from swarmwire_protocol.messages import Hello
from swarmwire_protocol.places import DEFAULT_NAME

from .autostart import Starter
from .connection import Connection
from .core import Core
from .dial import connection_for
from .errors import ErrorCode, SwarmwireError
from .finding import places
from .loss import Loss, Nobody
from .options import Settings
from .session import Session

__all__ = ["Reach"]

_FIRST_PAUSE: Final = 0.02  # seconds between two looks for a broker that starts; doubles up to the next
_LONGEST_PAUSE: Final = 0.25


class Reach:
    """Opens sessions, one after the other. Where there is no URL the broker is looked for anew each time.

    Attributes:
        place: the URL of the last session that was opened.
        log: where the broker writes to that was last started, or waited for.
    """

    def __init__(self, settings: Settings, dial: Callable[[Settings, str], Connection] = connection_for) -> None:
        self._settings = settings
        self._dial = dial
        self.place: str | None = None
        self.log: str | None = None

    async def session(self, core: Core, hello: Hello, *, may_start: bool) -> Session:
        """Open a session. `may_start`: a broker that is to be started if there is none may be started now.

        Raises:
            Loss: when there is none.
        """
        settings, self.log = self._settings, None
        if settings.url is not None:
            return await self._at(settings.url, settings.broker, core, hello)
        name = settings.broker or DEFAULT_NAME
        try:
            return await self._found(name, core, hello)
        except Nobody:
            if settings.autostart is None or not may_start:
                raise
        return await self._started(name, settings.autostart, core, hello)

    async def _at(self, url: str, name: str | None, core: Core, hello: Hello) -> Session:
        try:
            connection = self._dial(self._settings, url)
        except SwarmwireError as error:  # of a URL that no attempt will make a better one
            raise Loss(error, final=True) from error
        session = await Session.open(connection, core, hello, name)
        self.place = url
        return session

    async def _found(self, name: str, core: Core, hello: Hello) -> Session:
        why: list[Nobody] = []
        for place in places(name):
            try:
                return await self._at(place, name, core, hello)
            except Nobody as nobody:
                why.append(nobody)
        raise _not_found(name, why)

    async def _started(self, name: str, arguments: tuple[str, ...], core: Core, hello: Hello) -> Session:
        """Wait for the broker that is started by us, or by whoever was first."""
        pause = _FIRST_PAUSE
        try:
            with Starter(name, arguments) as starter:
                self.log = str(starter.log)
                while True:
                    looked_again = starter.advance()
                    await asyncio.sleep(0.0 if looked_again else pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    try:
                        return await self._found(name, core, hello)
                    except Nobody:
                        starter.check()
        except SwarmwireError as error:
            raise Loss(error) from error


def _not_found(name: str, why: list[Nobody]) -> Nobody:
    sentences = " ".join(dict.fromkeys(nobody.error.message for nobody in why))
    error = SwarmwireError(ErrorCode.UNAVAILABLE, f"No broker called {name!r} is found on this machine. {sentences}")
    error.__cause__ = why[-1].error.__cause__
    return Nobody(error)
