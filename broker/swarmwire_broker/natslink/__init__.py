"""A lean client of NATS: what a broker needs of it, and at the speed that it needs."""

from .errors import (
    ApiError,
    LinkDown,
    LinkError,
    LinkFull,
    LinkRefused,
    NoAnswer,
    NoResponders,
    PayloadTooLarge,
    WireProblem,
)
from .facts import ServerFacts
from .headers import encode_headers, header, status_of
from .jetstream import JetStream
from .link import Link
from .login import LinkFiles
from .parser import Receive
from .requests import Answer
from .states import LinkState
from .subscription import Subscription

__all__ = [
    "Link",
    "LinkState",
    "LinkFiles",
    "Subscription",
    "ServerFacts",
    "Receive",
    "Answer",
    "JetStream",
    "encode_headers",
    "header",
    "status_of",
    "LinkError",
    "LinkDown",
    "LinkFull",
    "LinkRefused",
    "PayloadTooLarge",
    "NoResponders",
    "NoAnswer",
    "ApiError",
    "WireProblem",
]
