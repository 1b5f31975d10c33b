"""The broker of Swarmwire: run it by `swarmwire serve`, or in your own process.

    from swarmwire_broker import Config, Server

    async with Server(Config(port=0)) as server:
        print(server.url)

`create_app` gives an ASGI application to mount into another; `Broker` is a broker without any server around it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import swarmwire_protocol  # noqa: F401  it decides whether compiled modules are used, before any of ours is imported

if TYPE_CHECKING:
    from swarmwire_protocol.handling import Call, CallError

    from .app import create_app
    from .broker import Broker
    from .config import Config, ConfigError
    from .core.ports import Verified
    from .server import Server

__all__ = ["Broker", "Call", "CallError", "Config", "ConfigError", "Server", "Verified", "create_app"]

# Read when they are asked for: the command line is a part of this package and should not load a server to say hello.
_HOMES: Final = {
    "Broker": ".broker",
    "Call": "swarmwire_protocol.handling",
    "CallError": "swarmwire_protocol.handling",
    "Config": ".config",
    "ConfigError": ".config",
    "Server": ".server",
    "Verified": ".core.ports",
    "create_app": ".app",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
