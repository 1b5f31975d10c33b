"""Brokers for tests in other languages: processes of their own, forked off one that has imported all they need.

So one is there in a tenth of the time, and a test that kills brokers can afford it. Each line of the input is a JSON
object: `{"serve": {setting: value, ...}, "as": name}` starts a broker, `{"signal": number, "to": name}` sends it a
signal. Each line of the output is one too: `{"listening": name, "urls": [...]}` and `{"ended": name, "code": ...}`;
what the brokers log goes to the error output. With the end of the input all brokers are killed.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

import uvloop  # noqa: F401 - imported here, once for all brokers

from swarmwire_broker import app, broker  # noqa: F401
from swarmwire_broker.config import load_config
from swarmwire_broker.engines import sqlite  # noqa: F401
from swarmwire_broker.logs import configure_logging
from swarmwire_broker.process import run
from swarmwire_broker.transports import asgi, unixsocket  # noqa: F401

__all__: list[str] = []

_children: dict[str, int] = {}


def _main() -> None:
    gc.collect()
    gc.freeze()  # what is here now is shared by all brokers; their collectors need not copy it
    try:
        for line in sys.stdin:
            _take(json.loads(line))
    finally:
        for child in list(_children.values()):
            os.kill(child, signal.SIGKILL)


def _take(order: dict[str, Any]) -> None:
    if "serve" in order:
        _start(order["as"], order["serve"])
    elif (child := _children.get(order["to"])) is not None:
        os.kill(child, order["signal"])


def _start(name: str, settings: dict[str, object]) -> None:
    child = os.fork()
    if child == 0:
        os._exit(_serve(name, settings))
    _children[name] = child
    threading.Thread(target=_await, args=(name, child), daemon=True).start()


def _serve(name: str, settings: dict[str, object]) -> int:
    os.setsid()  # Ctrl-C is for the tests, which end their brokers themselves
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        config = load_config(settings, env={})
        configure_logging(config.log_level, config.log_format)
        return run(config, on_started=lambda server: _say({"listening": name, "urls": server.urls}))
    except BaseException:
        traceback.print_exc()
        return 1


def _await(name: str, child: int) -> None:
    _, status = os.waitpid(child, 0)
    if _children.get(name) == child:
        del _children[name]
    _say({"ended": name, "code": os.waitstatus_to_exitcode(status)})


def _say(news: dict[str, Any]) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")  # at once and whole, whoever else writes


if __name__ == "__main__":
    _main()
