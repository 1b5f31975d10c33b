"""How the load generator speaks to each kind of server: what it says at first, how it subscribes and publishes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

__all__ = [
    "Dialect",
    "SIMPLE",
    "SWARMWIRE_WEBSOCKET",
    "SWARMWIRE_STREAM",
    "NATS",
    "NATS_WEBSOCKET",
    "NATS_TCP",
    "JETSTREAM_TCP",
    "ECHO",
    "NOTHING",
    "MQTT",
    "SOCKETIO",
    "CENTRIFUGO",
]


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


SIMPLE: Final = Dialect(
    options=("--path", "/ws"),
    subscribe=('{"type":"subscribe","topic":"{topic}"}', "subscribed"),
    publish='{"type":"publish","topic":"{topic}","data":{data}}',
)

SWARMWIRE: Final = Dialect(
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


SWARMWIRE_WEBSOCKET: Final = _by(SWARMWIRE, "--path", "/ws", "--subprotocol", "swarmwire.v1")
SWARMWIRE_STREAM: Final = _by(SWARMWIRE, "--framing", "swarm")

NATS: Final = Dialect(
    options=(
        "--connect-frame",
        'CONNECT {"verbose":false,"pedantic":false,"lang":"c","version":"1","protocol":1}\\r\\nPING\\r\\n',
        *("--connect-wait", "PONG", "--reply", "PING\\r\\n=PONG\\r\\n"),
    ),
    subscribe=("SUB {topic} 1\\r\\nPING\\r\\n", "PONG"),
    publish="PUB {topic} {datalen}\\r\\n{data}\\r\\n",
    star="*",
)
NATS_WEBSOCKET: Final = _by(NATS, "--path", "/")
NATS_TCP: Final = _by(NATS, "--framing", "lines")

# Nobody subscribes: each publish is answered by the stream that has stored it.
STREAM: Final = '{"name":"bench","subjects":["bench.>"],"storage":"file"}'
JETSTREAM_TCP: Final = Dialect(
    options=(
        *("--framing", "lines", "--connect-frame"),
        'CONNECT {"verbose":false,"pedantic":false,"lang":"c","version":"1","protocol":1}\\r\\nSUB answer.{id} 1\\r\\n'
        f"PUB $JS.API.STREAM.CREATE.bench answer.{{id}} {len(STREAM)}\\r\\n{STREAM}\\r\\n",
        *("--connect-wait", "stream_create_response", "--reply", "PING\\r\\n=PONG\\r\\n", "--subs", "0"),
        *("--answers", '"seq":', "--error-marker", '"error":'),
    ),
    subscribe=("", ""),
    publish="PUB {topic} answer.{id} {datalen}\\r\\n{data}\\r\\n",
    publish_with_ack="PUB {topic} answer.{id} {datalen}\\r\\n{data}\\r\\n",
    answer='"seq":',
)

# Nobody subscribes: what comes back is the answer to what was published.
ECHO: Final = Dialect(
    options=("--framing", "lines", "--subs", "0", "--answers", '{"t":'), subscribe=("", ""), publish="{data}\\n"
)

# Only programs of its own speak to it.
NOTHING: Final = Dialect(options=(), subscribe=("", ""), publish="")

MQTT: Final = Dialect(
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

SOCKETIO: Final = Dialect(
    options=(
        *("--path", "/socket.io/?EIO=4&transport=websocket"),
        *("--connect-frame", "40", "--connect-wait", "40{", "--reply", "2=3"),
    ),
    subscribe=('42["sub","{topic}"]', "ok"),
    publish='42["pub","{topic}",{data}]',
)

CENTRIFUGO: Final = Dialect(
    options=(
        *("--path", "/connection/websocket"),
        *("--connect-frame", '{"id":1,"connect":{}}', "--connect-wait", '"connect":{', "--reply", "{}={}"),
        *("--error-marker", '"error":{'),
    ),
    subscribe=('{"id":2,"subscribe":{"channel":"{topic}"}}', '"subscribe":{'),
    publish='{"id":3,"publish":{"channel":"{topic}","data":{data}}}',
)
