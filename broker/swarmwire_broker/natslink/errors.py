"""What can go wrong between a broker and NATS. Every one is an OSError with one sentence, and holds no secret."""

from __future__ import annotations

__all__ = [
    "LinkError",
    "LinkRefused",
    "LinkDown",
    "LinkFull",
    "PayloadTooLarge",
    "NoResponders",
    "NoAnswer",
    "ApiError",
    "WireProblem",
]


class LinkError(OSError):
    """The base of all: no server could be reached, or one said something that ends what was asked."""


class LinkRefused(LinkError):
    """The server does not let this client in: its credentials are missing, wrong or expired."""


class LinkDown(LinkError):
    """There is no connection now, or it was lost before the answer came: what was sent may or may not have arrived."""


class LinkFull(LinkError):
    """More waits for the socket than may wait. What was to be published was certainly not sent."""


class PayloadTooLarge(LinkError):
    """The server takes no message of this size. It was not sent.

    Attributes:
        size: bytes of headers and payload together.
        limit: the most of these that the server takes.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the NATS server takes messages of at most {limit} bytes, and this one has {size}")
        self.size = size
        self.limit = limit


class NoResponders(LinkError):
    """Nobody listens on the subject, so the message certainly reached nobody."""


class NoAnswer(LinkError):
    """No answer came in time: what was asked may or may not have been done."""


class ApiError(LinkError):
    """JetStream refused.

    Attributes:
        code: like a status of HTTP (404, 503).
        err_code: the number of NATS for this error (10059: no such stream).
        description: what the server wrote.
    """

    def __init__(self, api: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"JetStream answered {api} with: {description} ({err_code})")
        self.code = code
        self.err_code = err_code
        self.description = description


class WireProblem(LinkError):
    """What came is not the NATS protocol, or more of it than may come at once."""
