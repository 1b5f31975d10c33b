"""HTTP requests to a broker (docs/http.md): who asks, what became of it, and what an error says."""

from __future__ import annotations

import ssl as tls
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from swarmwire_protocol.messages import Error, Hello, RequestId

from .carrier import MAX_RECEIVED_BYTES
from .errors import ErrorCode, SwarmwireError

if TYPE_CHECKING:
    import httpx

__all__ = ["EVENTS", "HEALTH", "HELLO", "NDJSON", "PUBLISH", "Answer", "HttpRequests", "Lost", "Problem", "problem_of"]

HELLO: Final = "/v1/hello"
PUBLISH: Final = "/v1/publish"
EVENTS: Final = "/v1/events"
HEALTH: Final = "/healthz"
NDJSON: Final = "application/x-ndjson"

_INSTANCE: Final = "X-Swarmwire-Instance"
_CONNECT_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 2.0  # shorter than any server keeps an idle connection: none ends as it is used again


class Lost(Exception):
    """A request had no answer, or none of a broker's: the connection is lost."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes


class Problem(msgspec.Struct, kw_only=True):
    """What an error says."""

    code: str
    message: str
    field: str | None = None
    retry_after_ms: int | None = None
    handler_code: str | None = None
    details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def to(self, request: RequestId | None) -> Error:
        """The same as a message to whoever asked."""
        return Error(
            id=request,
            code=self.code,
            message=self.message,
            field=self.field,
            retry_after_ms=self.retry_after_ms,
            handler_code=self.handler_code,
            details=self.details,
        )


class _Failure(msgspec.Struct):
    error: Problem


_failure = msgspec.json.Decoder(_Failure).decode


def problem_of(answer: Answer) -> Problem:
    """What is wrong, of an answer that is an error.

    Raises:
        Lost: where the error is none of a broker's: one of a proxy, or of another server.
    """
    try:
        return _failure(answer.body).error
    except msgspec.MsgspecError:
        raise Lost(f"No broker answers there, but HTTP status {answer.status}.") from None


class HttpRequests:
    """Asks one broker. `heard` is called whenever bytes came. No proxy is used, no redirect is followed.

    Raises:
        SwarmwireError: INVALID_MESSAGE for a URL that is none; UNAVAILABLE where `httpx` is not installed.
    """

    def __init__(self, url: str, ssl: tls.SSLContext | None, heard: Callable[[], None]) -> None:
        library = _library()
        try:
            base = library.URL(url)
        except library.InvalidURL:
            base = library.URL()
        if not base.host or base.query or base.fragment or base.userinfo:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, "Expected a URL such as http://host:8765, and no more.", field="url"
            )
        self._errors: tuple[type[Exception], ...] = (library.HTTPError, library.StreamError, OSError)
        self._timeout: Callable[[float | None], httpx.Timeout] = lambda silence: library.Timeout(
            None, connect=_CONNECT_SECONDS, read=silence
        )
        self._heard = heard
        self.silence: float | None = None
        """Seconds without a byte after which a request that is to be answered at once is lost."""
        self._client: httpx.AsyncClient = library.AsyncClient(
            base_url=base,
            # Without TLS nothing is verified, and making a context for it takes a while.
            verify=(ssl or tls.create_default_context()) if base.scheme == "https" else False,
            headers={"Accept-Encoding": "identity"},
            timeout=self._timeout(None),
            limits=library.Limits(keepalive_expiry=_IDLE_SECONDS),
            trust_env=False,
        )

    def introduce(self, hello: Hello) -> None:
        """Be this client in every request from now on."""
        headers = self._client.headers
        headers["User-Agent"] = f"{hello.client.name}/{hello.client.version}".encode("ascii", "replace").decode()
        if hello.client.instance is not None:
            headers[_INSTANCE] = hello.client.instance
        if hello.token is not None:
            self.renew(hello.token)

    def renew(self, token: str) -> None:
        """Use this token from now on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask, and wait for all of the answer. An underscore in the name of a header stands for a hyphen.

        Raises:
            Lost: when there is none.
        """
        async with self.answering(method, path, body=body, headers=headers, silence=self.silence) as (status, pieces):
            whole = bytearray()
            async for piece in pieces:
                whole += piece
                if len(whole) > MAX_RECEIVED_BYTES:
                    raise Lost(f"An answer has at most {MAX_RECEIVED_BYTES} bytes.")
            return Answer(status, bytes(whole))

    @asynccontextmanager
    async def answering(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Ask, and get the status and the answer in pieces, as they come; at most `silence` seconds between two.

        Raises:
            Lost: when it does not come, or not whole.
        """
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        try:
            async with self._client.stream(
                method, path, content=body, params=params, headers=named, timeout=self._timeout(silence)
            ) as response:
                self._heard()
                yield response.status_code, self._pieces(response)
        except self._errors as error:
            raise Lost(f"{error}." if str(error) else f"{type(error).__name__}.") from error

    async def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        async for piece in response.aiter_raw():
            self._heard()
            yield piece

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()


def _library() -> Any:
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE,
            "To connect over HTTP takes the package httpx: install it with `pip install 'swarmwire[http]'`.",
        ) from error
    return httpx
