"""A connection over HTTP: the messages of the SDK as requests, and what is answered as messages.

Requests are decided in the order they were sent, as on every other transport: publishes go as batches, one on its
way while the next gathers, and what follows them waits for their answer. Every subscription is a stream of
server-sent events. What loses a request or a stream loses the connection, so that reconnecting and resuming are the
SDK's own.
"""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import InvalidMessage, decode_from_client, encode
from swarmwire_protocol.messages import RequestId

from .carrier import CLOSE_TIMEOUT
from .errors import ErrorCode, SwarmwireError
from .httpbatch import ENDS, Sent, bye_for, decided, take_batch
from .httpcall import call_over_http
from .httprequests import HEALTH, HELLO, NDJSON, PUBLISH, Answer, HttpRequests, Lost, Problem, problem_of
from .httpstream import Bye
from .httpsubscriptions import HttpSubscriptions, silence_of
from .incoming import HIGH_WATER, Incoming
from .loss import ABNORMAL

__all__ = ["HttpConnection"]

_OK: Final = 200

_log = logging.getLogger("swarmwire.client.http")
_endings: set[asyncio.Task[None]] = set()


class _Head(msgspec.Struct):
    type: str = ""
    id: RequestId | None = None


_head = msgspec.json.Decoder(_Head).decode


class HttpConnection(Incoming):
    """One connection's life over HTTP. `open` it once; see `Connection` for what its methods promise."""

    def __init__(self, url: str, ssl: tls.SSLContext | None = None) -> None:
        super().__init__()
        self.on_writable: Callable[[], None] = _nothing
        self._url = url
        self._requests = HttpRequests(url, ssl, self._was_heard)
        self._welcome: wire.Welcome | None = None
        self._subscriptions = HttpSubscriptions(self._requests, self._spawn, self._deliver)
        self._queue: deque[Sent] = deque()
        self._queued = 0
        self._most: int | None = None
        self._calls: dict[RequestId, asyncio.Task[None]] = {}
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- For the SDK

    @property
    def writable(self) -> bool:
        return self._queued < HIGH_WATER

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard = self.spoke = self._loop.time()
        try:
            await self._requests.ask("GET", HEALTH)
        except BaseException as error:
            await self._requests.close()
            if isinstance(error, Lost):
                sentence = f"Nobody answers at {self._url}: {error}"
                raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence) from error.__cause__
            raise

    def send(self, payload: bytes) -> None:
        if self._closed is not None:
            return
        try:
            head = _head(payload)
        except msgspec.MsgspecError:
            head = _Head()
        match head.type:
            case "hello":
                self._spawn(partial(self._hello, payload))
            case "ping":
                self._spawn(partial(self._ping, payload))
            case "cancel" if head.id in self._calls:
                self._calls[head.id].cancel()
            case "publish" | "subscribe" | "unsubscribe" | "auth" | "call":
                self._queue.append(Sent(head.type, head.id, payload))
                self._queued += len(payload)
                if self._worker is None or self._worker.done():
                    self._worker = self._spawn(self._work)
            case "bye" | "pong" | "cancel" | "reply" | "error":
                pass  # nothing waits for them
            case _:
                self._misunderstood(payload)

    async def close(self, code: int, reason: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT / 2):
                if self._worker is not None and self._closed is None:
                    await asyncio.wait([self._worker])
        self._finish(code, reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT / 2):
                await self._cleaned_up()

    def abort(self) -> None:
        self._finish(ABNORMAL, "")
        ending = asyncio.get_running_loop().create_task(self._cleaned_up())
        _endings.add(ending)  # a task that nobody holds may be collected before it ends
        ending.add_done_callback(_endings.discard)

    # ---- Tasks, and their end

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = self._loop.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do a part of the connection's work; with what it fails by the connection ends."""
        try:
            await work()
        except Lost as lost:
            self._finish(ABNORMAL, str(lost))
        except Bye as bye:
            error = [] if bye.problem is None else [encode(bye.problem.to(None))]
            self._deliver([*error, encode(bye.message)])
            self._finish(bye.message.code, bye.message.reason)
        except Exception as fault:
            _log.exception("the connection failed")
            self._finish(ABNORMAL, f"The connection failed with {type(fault).__name__}.")

    def _finish(self, code: int, reason: str) -> None:
        self._end(code, reason)
        self._queue.clear()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    async def _cleaned_up(self) -> None:
        if tasks := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        await self._requests.close()

    def _was_heard(self) -> None:
        self.heard = self._loop.time()

    def _hold(self) -> None:
        self._subscriptions.room.clear()

    def _go_on(self) -> None:
        self._subscriptions.room.set()

    # ---- What is asked without waiting for its turn

    def _misunderstood(self, payload: bytes) -> None:
        try:
            decode_from_client(payload)
        except InvalidMessage as error:
            self._deliver([_error(error, error.request_id)])

    async def _hello(self, payload: bytes) -> None:
        hello = decode_from_client(payload)
        assert isinstance(hello, wire.Hello)
        self._requests.introduce(hello)
        answer = await self._ask("GET", HELLO)
        if answer.status != _OK:
            raise bye_for(problem_of(answer))
        self._welcome = _welcomed(answer.body)
        self._requests.silence = silence_of(self._welcome)
        self._deliver([encode(self._welcome)])

    async def _ping(self, payload: bytes) -> None:
        ping = decode_from_client(payload)
        assert isinstance(ping, wire.Ping)
        await self._ask("GET", HEALTH)
        self._deliver([encode(wire.Pong(ts=ping.ts))])

    # ---- What is decided in its order

    async def _work(self) -> None:
        while self._queue:
            if self._queue[0].type == "publish":
                await self._publish()
                continue
            sent = self._queue.popleft()
            self._queued -= len(sent.payload)
            try:
                message = decode_from_client(sent.payload)
            except InvalidMessage as error:
                self._deliver([_error(error, error.request_id)])
                continue
            match message:
                case wire.Subscribe() as subscribe:
                    await self._subscriptions.subscribe(subscribe, self._welcome)
                case wire.Unsubscribe() as unsubscribe:
                    self._subscriptions.unsubscribe(unsubscribe)
                case wire.Auth() as auth:
                    await self._renew(auth)
                case wire.Call() as call:
                    self._call(call)

    async def _publish(self) -> None:
        """Publish what waits in front, as one batch."""
        batch = take_batch(self._queue, {} if self._welcome is None else self._welcome.limits, self._most)
        answer = await self._ask("POST", PUBLISH, b"\n".join(sent.payload for sent in batch), Content_Type=NDJSON)
        if answer.status != _OK and len(batch) > 1 and problem_of(answer).code == ErrorCode.MESSAGE_TOO_LARGE:
            self._most = len(batch) // 2  # nothing of it was published
            self._queue.extendleft(reversed(batch))
            return
        self._queued -= sum(len(sent.payload) for sent in batch)
        if answer.status == _OK:
            self._decided(*decided(batch, answer.body))
        else:
            self._refused(batch, problem_of(answer))
        if self.writable:
            self.on_writable()

    def _decided(self, answers: list[bytes], end: Bye | Lost | None) -> None:
        self._deliver(answers)
        if end is not None:
            raise end

    def _refused(self, batch: list[Sent], problem: Problem) -> None:
        if problem.code in ENDS:
            raise bye_for(problem)
        self._deliver([encode(problem.to(sent.id)) for sent in batch])

    async def _renew(self, message: wire.Auth) -> None:
        """Log in anew; streams go on, each from its place, with the new login."""
        answer = await self._ask("GET", HELLO, Authorization=f"Bearer {message.token}")
        problem = problem_of(answer) if answer.status != _OK else self._other_subject(_welcomed(answer.body))
        if problem is not None:
            self._deliver([encode(problem.to(message.id))])
            return
        self._requests.renew(message.token)
        self._subscriptions.restart()
        self._deliver([encode(wire.Ack(id=message.id))])

    def _other_subject(self, welcome: wire.Welcome) -> Problem | None:
        if self._welcome is None or _subject(welcome) == _subject(self._welcome):
            return None
        return Problem(
            code=ErrorCode.PERMISSION_DENIED, message="A renewed token must be of the same subject.", field="token"
        )

    def _call(self, call: wire.Call) -> None:
        task = self._spawn(partial(call_over_http, self._requests, call, self._deliver))
        self._calls[call.id] = task
        task.add_done_callback(lambda _: self._calls.pop(call.id, None))

    async def _ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        self.spoke = self._loop.time()
        return await self._requests.ask(method, path, body, **headers)


def _welcomed(body: bytes) -> wire.Welcome:
    try:
        fields = msgspec.json.decode(body)
        return msgspec.convert({**fields, "type": "welcome"}, wire.Welcome)
    except (msgspec.MsgspecError, TypeError) as error:
        raise Lost(f"The other side is no Swarmwire broker: {error}.") from error


def _subject(welcome: wire.Welcome) -> str:
    """Who a token is of; empty where nobody logs in, and every request is of somebody else."""
    subject = welcome.identity.subject
    return "" if subject == f"anonymous:{welcome.client_id}" else subject


def _error(error: SwarmwireError, request: RequestId | None) -> bytes:
    return encode(wire.Error(id=request, code=error.code, message=error.message, field=error.field))


def _nothing() -> None:
    """Until someone wants to know."""
