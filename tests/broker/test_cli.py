"""The command line, with a client and a server that only remember what they were asked."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import jwt
import pytest
from typer.testing import CliRunner, Result

from swarmwire import ErrorCode, Event, Gap, Published, SwarmwireError
from swarmwire_broker.cli import app
from swarmwire_broker.cli.console import ReaderGone
from swarmwire_broker.cli.lines import read_lines
from swarmwire_broker.cli.optionalvalues import with_values
from swarmwire_broker.cli.pub import Request, publish_all
from swarmwire_broker.cli.status import figures_of, http_url
from swarmwire_broker.cli.sub import parse_from
from swarmwire_broker.config import Config
from swarmwire_protocol.messages import Identity, Permissions, ServerInfo

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SWARMWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


def run(*arguments: str, input: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, list(arguments), input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class FakeClient:
    """Answers publishes with rising numbers, subscriptions with what a test put there."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.published: list[tuple[str, Any, dict[str, Any]]] = []
        self.subscribed: list[tuple[str, dict[str, Any]]] = []
        self.items: dict[str, list[Any]] = {}
        self.refusal: Exception | None = None
        self.refuses: Callable[[Any], bool] = lambda data: False
        self.disconnects = 0
        self.found = self.url = "ws://127.0.0.1:8765/ws"
        self.server = ServerInfo(id="b1", name="factory", version="1.2.3", pid=42, ppid=1)
        self.identity = Identity(subject="alice", permissions=Permissions(publish=["a.#"], admin=True))
        self.durability = "accepted"
        self.limits = {"max_message_bytes": 1024, "max_subscriptions": None}

    async def connect(self, url: str | None, **options: Any) -> FakeClient:
        self.asked = {"url": url, **options}
        self.url = self.found if url is None else url
        if self.refusal is not None:
            raise self.refusal
        return self

    async def disconnect(self) -> None:
        self.disconnects += 1

    def listen(self, name: str, listener: Callable[..., object]) -> None:
        assert name in ("reconnecting", "resumed")

    async def ping(self) -> float:
        return 1.25

    async def publish(self, topic: str, data: Any, *, ack: bool = True, **options: Any) -> Published | None:
        if self.refuses(data):
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, f"You may not publish on {topic}.")
        self.published.append((topic, data, options))
        seq = None if options["ephemeral"] else len(self.published)
        return Published(seq=seq) if ack else None

    @asynccontextmanager
    async def subscribe(self, pattern: str, **options: Any) -> AsyncIterator[AsyncIterator[Any]]:
        self.subscribed.append((pattern, options))

        async def items() -> AsyncIterator[Any]:
            for item in self.items.get(pattern, []):
                await asyncio.sleep(0)
                if isinstance(item, KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)  # as Ctrl-C comes: raised here it would be the task's own error
                    await asyncio.Event().wait()
                if isinstance(item, BaseException):
                    raise item
                yield item

        yield items()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr("swarmwire.connect", fake.connect)
    return fake


def event(topic: str = "a.b", seq: int | None = 1, data: Any = None, **more: Any) -> Event:
    return Event(topic=topic, data=data, seq=seq, ts=1_700_000_000_000, cursor=f"e:{seq}", **more)


# ---- The whole


def test_without_a_command_help_is_shown() -> None:
    assert "serve" in run().output


def test_the_version_is_printed() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("swarmwire ")


def test_help_imports_nothing_that_serves_or_connects() -> None:
    heavy = ["uvicorn", "starlette", "websockets", "jwt", "cryptography", "prometheus_client", "structlog"]
    code = (
        "import sys; sys.argv = ['swarmwire', '--help']; from swarmwire_broker.__main__ import main; "
        f"code = main(); print([name for name in {heavy} if name in sys.modules], code)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize("name", ["typer", "rich"])
def test_without_the_broker_extra_it_says_what_to_install(name: str) -> None:
    code = f"import runpy, sys; sys.modules['{name}'] = None; runpy.run_module('swarmwire_broker', run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [f"{name} is not installed: pip install 'swarmwire[broker]'"]


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "swarmwire_broker", "token", "--generate"]
    try:
        result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


# ---- pub


def test_pub_sends_json_and_prints_the_seq(client: FakeClient) -> None:
    result = run("pub", "a.b", '{"x": [1, null]}', "--url", "ws://h/ws", "--token", "t")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert client.published[0][:2] == ("a.b", {"x": [1, None]})
    assert (client.asked["url"], client.asked["token"], client.disconnects) == ("ws://h/ws", "t", 1)


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        (["hello"], "hello"),
        (["5"], 5),
        (['"5"'], "5"),
        (["5", "--string"], "5"),
        (["5", "--json"], 5),
        (["grüße"], "grüße"),
        ([""], ""),
        ([], None),
        (["NaN"], "NaN"),
    ],
)
def test_pub_takes_data_as_json_if_it_is_and_as_text_otherwise(
    arguments: list[str], data: object, client: FakeClient
) -> None:
    assert run("pub", "a.b", *arguments).exit_code == 0
    assert client.published[0][1] == data


def test_pub_passes_its_options_on(client: FakeClient) -> None:
    result = run("pub", "a.b", "1", "-H", "k=v=w", "--header", "n=", "--key", "once", "--ephemeral", "--clear")
    assert result.stdout == "-\n"
    expected = {"headers": {"k": "v=w", "n": ""}, "key": "once", "ephemeral": True, "clear": True}
    assert client.published[0][2] == expected


def test_pub_repeats_as_often_as_it_is_told(client: FakeClient) -> None:
    assert run("pub", "a.b", "1", "-n", "1000").stdout.split() == [str(seq) for seq in range(1, 1001)]
    assert len(client.published) == 1000
    client.published.clear()
    assert run("pub", "a.b", "1", "-n", "0").stdout == ""
    assert client.published == []


def test_pub_without_acks_prints_nothing(client: FakeClient) -> None:
    assert run("pub", "a.b", "1", "-n", "3", "--no-ack").stdout == ""
    assert len(client.published) == 3
    assert client.disconnects == 1


def test_pub_reads_a_value_a_line_until_the_end(client: FakeClient) -> None:
    result = run("pub", "a.b", "-", input=b'1\n\n{"x":2}\r\nplain text\n"last"')
    assert result.stdout == "1\n2\n3\n4\n"
    assert [data for _, data, _ in client.published] == [1, {"x": 2}, "plain text", "last"]


def test_pub_names_the_line_that_is_no_json_after_those_before_it_were_published(client: FakeClient) -> None:
    result = run("pub", "a.b", "-", "--json", input=b"1\n2\n{nope\n4\n")
    assert result.exit_code == 1
    assert result.stdout == "1\n2\n"
    assert result.stderr.startswith("swarmwire: line 3 of standard input is not JSON: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{nope", "--json"], "DATA is not JSON"),
        (["1", "--json", "--string"], "--string and --json contradict"),
        (["-", "--key", "k"], "--key names one event"),
        (["1", "-n", "2", "--key", "k"], "--key names one event"),
        (["1", "-H", "novalue"], "--header novalue: expected NAME=VALUE"),
        (["1", "-H", "=v"], "--header =v: expected NAME=VALUE"),
    ],
)
def test_pub_refuses_arguments_that_make_no_sense(arguments: list[str], sentence: str, client: FakeClient) -> None:
    result = run("pub", "a.b", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"swarmwire: {sentence}")
    assert client.asked == {}


def test_what_the_broker_refuses_is_one_sentence(client: FakeClient) -> None:
    client.refuses = lambda data: True
    result = run("pub", "a.b", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "swarmwire: PERMISSION_DENIED: You may not publish on a.b.\n"
    assert client.disconnects == 1


def test_an_interrupted_pub_exits_with_130(client: FakeClient) -> None:
    def interrupt(data: object) -> bool:
        raise KeyboardInterrupt

    client.refuses = interrupt
    assert run("pub", "a.b", "1").exit_code == 130


async def test_publishes_are_answered_in_their_order_whatever_order_they_end_in() -> None:
    answers: dict[int, asyncio.Future[Published]] = {}

    class Slow:
        async def publish(self, topic: str, data: int, **options: Any) -> Published:
            answers[data] = asyncio.get_running_loop().create_future()
            if len(answers) == 5:
                for number in (4, 2, 0, 3, 1):
                    answers[number].set_result(Published(seq=number))
            return await answers[data]

    async def values() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    told: list[int | None] = []
    options = {"headers": None, "key": None, "ephemeral": False, "clear": False}
    request = Request("a.b", options, "either", ack=True)
    slow: Any = Slow()
    await publish_all(slow, request, values(), lambda published: told.append(published.seq if published else None))
    assert told == [0, 1, 2, 3, 4]


# ---- Standard input


async def test_lines_come_whole_however_the_bytes_are_split() -> None:
    chunks = iter([b"on", b"e\ntwo\r", b"\n\nth", b"ree", b""])
    assert [line async for line in read_lines(lambda size: next(chunks))] == [b"one", b"two", b"", b"three"]


async def test_a_line_comes_before_the_end_of_the_input() -> None:
    reading, writing = os.pipe()
    try:
        lines = read_lines(lambda size: os.read(reading, size))
        os.write(writing, b"first\nsec")
        assert await anext(lines) == b"first"
        os.write(writing, b"ond\n")
        assert await anext(lines) == b"second"
        os.close(writing)
        assert [line async for line in lines] == []
    finally:
        os.close(reading)


async def test_an_input_that_fails_is_an_error() -> None:
    def fail(size: int) -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        [line async for line in read_lines(fail)]


# ---- sub


def test_sub_prints_a_line_an_event(client: FakeClient) -> None:
    client.items["#"] = [event(seq=7, data={"x": 1}, sender="alice"), event(seq=None, data="hi", skipped=3)]
    result = run("sub", "#")
    assert result.exit_code == 0
    first, second = (line.split("  ") for line in result.stdout.splitlines())
    assert first[1:] == ["a.b", "#7", "alice", '{"x":1}']
    assert second[1:] == ["a.b", "live", "-", "(+3 skipped)", '"hi"']


def test_sub_prints_json_with_gaps_among_the_events(client: FakeClient) -> None:
    gap = Gap(start="e:1", end="e:5", reason="evicted", pattern="#")
    exact = Gap(start="e:5", end="e:7", reason="overflow", pattern="#", dropped=2)
    client.items["#"] = [event(data=[1], sender="al", headers={"k": "v"}, clear=True), gap, exact]

    lines = [json.loads(line) for line in run("sub", "#", "--json").stdout.splitlines()]

    assert lines == [
        {
            "type": "event",
            "topic": "a.b",
            "seq": 1,
            "ts": 1_700_000_000_000,
            "cursor": "e:1",
            "from": "al",
            "headers": {"k": "v"},
            "clear": True,
            "data": [1],
        },
        {"type": "gap", "pattern": "#", "from": "e:1", "to": "e:5", "reason": "evicted"},
        {"type": "gap", "pattern": "#", "from": "e:5", "to": "e:7", "reason": "overflow", "dropped": 2},
    ]


def test_sub_says_in_words_what_a_gap_is(client: FakeClient) -> None:
    client.items["#"] = [Gap(start="e:1", end="e:5", reason="evicted", pattern="#")]
    assert run("sub", "#").stdout == "gap  #  events may be missing (evicted): e:1 to e:5\n"


@pytest.mark.parametrize("data", ["\ud800", 2**80])
def test_sub_prints_whatever_json_can_hold(data: object, client: FakeClient) -> None:
    client.items["#"] = [event(data=data)]
    assert json.loads(run("sub", "#", "--json").stdout)["data"] == data
    assert run("sub", "#").exit_code == 0


def test_what_an_event_holds_does_not_steer_the_terminal(client: FakeClient) -> None:
    client.items["#"] = [event(data="a\x1b[2Jb\x9bc\u202e", sender="al\x07ice")]
    shown = run("sub", "#").stdout
    assert all(char.isprintable() for char in shown.rstrip("\n"))


def test_sub_stops_after_so_many_events(client: FakeClient) -> None:
    client.items["#"] = [event(seq=seq) for seq in range(1, 10)]
    assert len(run("sub", "#", "-n", "3").stdout.splitlines()) == 3
    assert client.disconnects == 1
    assert run("sub", "#", "-n", "0").stdout == ""


def test_gaps_do_not_count_as_events(client: FakeClient) -> None:
    gap = Gap(start="e:1", end="e:5", reason="evicted", pattern="#")
    client.items["#"] = [gap, event(seq=6), event(seq=7)]
    assert len(run("sub", "#", "-n", "1", "--json").stdout.splitlines()) == 2


def test_an_event_that_several_patterns_match_is_printed_once(client: FakeClient) -> None:
    client.items = {"a.*": [event("a.b", 1)], "#": [event("a.b", 1), event("c", 2)]}
    lines = [json.loads(line) for line in run("sub", "a.*", "#", "a.*", "--json").stdout.splitlines()]
    assert sorted(line["topic"] for line in lines) == ["a.b", "c"]
    assert [pattern for pattern, _ in client.subscribed] == ["a.*", "#"]


def test_sub_passes_its_options_on(client: FakeClient) -> None:
    run("sub", "#", "--from", "last:5", "--conflate", "0")
    assert client.subscribed == [("#", {"from_": {"last": 5}, "gaps": True, "conflate_ms": 0})]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("now", "now"),
        ("start", "start"),
        ("latest", "latest"),
        ("last:0", {"last": 0}),
        ("since:1700000000000", {"since_ms": 1_700_000_000_000}),
        ("since:0", {"since_ms": 0}),
        ("abc:17", {"cursor": "abc:17"}),
        ("last:17x", None),
        ("last:-1", None),
        ("since:", None),
        ("since:yesterday", None),
        ("then", None),
        ("", None),
    ],
)
def test_sub_begins_where_from_says(text: str, start: object, client: FakeClient) -> None:
    result = run("sub", "#", "--from", text)
    if start is None:
        assert result.exit_code == 2
        assert result.stderr.startswith(f"swarmwire: --from {text}: expected now, start, latest")
    else:
        assert client.subscribed[0][1]["from_"] == start


def test_since_takes_a_duration_before_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 10_000.0)
    assert parse_from("since:1h30m") == {"since_ms": 4_600_000}
    assert parse_from("since:90d") == {"since_ms": 0}


def test_a_refused_subscription_is_one_sentence(client: FakeClient) -> None:
    client.items["#"] = [SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not subscribe to #.")]
    result = run("sub", "a", "#")
    assert result.exit_code == 1
    assert result.stderr == "swarmwire: PERMISSION_DENIED: You may not subscribe to #.\n"


def test_an_interrupt_is_the_usual_end_of_sub_but_not_before_the_count(client: FakeClient) -> None:
    client.items["#"] = [event(), KeyboardInterrupt()]
    assert run("sub", "#").exit_code == 0
    assert run("sub", "#", "-n", "2").exit_code == 130


def test_sub_ends_quietly_when_nobody_reads_any_more(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(line: str) -> None:
        raise ReaderGone

    monkeypatch.setattr("swarmwire_broker.cli.rendering.emit", closed)
    client.items["#"] = [event()]
    result = run("sub", "#")
    assert (result.exit_code, result.stderr) == (0, "")


# ---- Connecting


def test_where_nobody_answers_the_address_and_the_cure_are_named() -> None:
    for command in (["pub", "a"], ["sub", "a"], ["status"]):
        result = run(*command, "--url", "ws://127.0.0.1:1/ws")
        assert result.exit_code == 2
        assert result.stderr.startswith("swarmwire: no broker answers at ws://127.0.0.1:1/ws (")
        assert result.stderr.endswith("`swarmwire serve` starts one\n")


def test_where_no_broker_is_found_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", "ws://127.0.0.1:1/ws")
    for command in (["pub", "a"], ["sub", "a"], ["status"]):
        result = run(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith("swarmwire: No broker called 'swarmwire' is found on this machine. ")
        assert result.stderr.endswith("`swarmwire serve` starts one\n")


def test_a_url_that_cannot_be_used_is_named() -> None:
    result = run("sub", "#", "--url", "gopher://x")
    assert result.exit_code == 2
    assert result.stderr.startswith("swarmwire: gopher://x: Expected a URL")


def test_a_refused_login_exits_with_1(client: FakeClient) -> None:
    client.refusal = SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, "A token is needed.")
    result = run("status")
    assert (result.exit_code, result.stderr) == (1, "swarmwire: AUTHENTICATION_FAILED: A token is needed.\n")


def test_url_and_token_may_come_from_the_environment(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_URL", "ws://elsewhere/ws")
    monkeypatch.setenv("SWARMWIRE_TOKEN", "from-env")
    run("pub", "a.b")
    assert (client.asked["url"], client.asked["token"]) == ("ws://elsewhere/ws", "from-env")
    monkeypatch.delenv("SWARMWIRE_URL")
    run("pub", "a.b")
    assert client.asked["url"] is None
    assert "from-env" not in run("pub", "--help").output


# ---- status


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str]]:
    answers = {"/readyz": (200, "ok"), "/metrics": (0, "")}

    def get(url: str, token: str | None) -> tuple[int, str]:
        return next((answer for path, answer in answers.items() if url == "http://127.0.0.1:8765" + path), (0, ""))

    monkeypatch.setattr("swarmwire_broker.cli.status._get", get)
    return answers


def test_status_tells_who_answers_and_how_it_is(client: FakeClient, http: dict[str, tuple[int, str]]) -> None:
    http["/metrics"] = (200, "# HELP x\nswarmwire_connections 3.0\n")
    result = run("status")
    shown = dict(line.strip().split(maxsplit=1) for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert shown["broker"] == "factory 1.2.3 at ws://127.0.0.1:8765/ws"
    assert (shown["ready"], shown["latency"], shown["identity"]) == ("yes", "1.2 ms", "alice")
    assert (shown["may"], shown["connections"]) == ("publish a.#; admin", "3")
    assert "max_message_bytes  1,024" in shown["limit"] or "max_subscriptions" in shown["limit"]


def test_status_of_a_broker_at_its_socket_asks_the_routes_of_the_same_broker(
    client: FakeClient, http: dict[str, tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeClient()

    async def connect(url: str | None, **options: Any) -> FakeClient:
        return await (client if url is None else other).connect(url, **options)

    client.found = "unix:///run/s.sock"
    monkeypatch.setattr("swarmwire.connect", connect)
    found = json.loads(run("status", "--json").stdout)
    assert (found["url"], found["ready"]) == ("unix:///run/s.sock", True)
    assert (other.asked["url"], other.asked["broker"], other.disconnects) == ("ws://127.0.0.1:8765/ws", "factory", 1)

    other.server = ServerInfo(id="b2", name="factory", version="1.2.3", pid=43, ppid=1)
    assert json.loads(run("status", "--json").stdout)["ready"] is None
    other.refusal = SwarmwireError(ErrorCode.UNAVAILABLE)
    assert json.loads(run("status", "--json").stdout)["ready"] is None


def test_status_as_json_holds_the_same(client: FakeClient, http: dict[str, tuple[int, str]]) -> None:
    found = json.loads(run("status", "--json").stdout)
    assert found["server"]["name"] == "factory"
    assert found["identity"]["subject"] == "alice"
    assert (found["ready"], found["figures"], found["latency_ms"]) == (True, None, 1.25)
    assert found["limits"] == {"max_message_bytes": 1024, "max_subscriptions": None}


@pytest.mark.parametrize(("answer", "ready", "code"), [(200, True, 0), (503, False, 1), (404, None, 0), (0, None, 0)])
def test_the_exit_code_of_status_says_whether_the_broker_is_ready(
    answer: int, ready: bool | None, code: int, client: FakeClient, http: dict[str, tuple[int, str]]
) -> None:
    http["/readyz"] = (answer, "")
    result = run("status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["ready"]) == (code, ready)


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("ws://127.0.0.1:8765/ws", "http://127.0.0.1:8765/readyz"),
        ("wss://h.example/mounted/ws?x=1", "https://h.example/mounted/readyz"),
        ("ws://user:secret@[::1]:1/ws", "http://[::1]:1/readyz"),
        ("ws://h", "http://h/readyz"),
        ("http://h:1", "http://h:1/readyz"),
        ("https://h/mounted/", "https://h/mounted/readyz"),
    ],
)
def test_the_routes_of_http_lie_beside_the_websocket(url: str, route: str) -> None:
    assert http_url(url, "/readyz") == route


def test_figures_of_one_name_are_added_up() -> None:
    text = (
        "# TYPE swarmwire_errors counter\n"
        'swarmwire_errors_total{code="A"} 2.0\nswarmwire_errors_total{code="B b"} 3.0\n'
        "swarmwire_connections 1.0\nother 5.0\n"
    )
    assert figures_of(text) == {"errors_total": 5.0, "connections": 1.0}


# ---- token


def claims(token: str, key: Any = SECRET, algorithm: str = "HS256", **options: Any) -> dict[str, Any]:
    return jwt.decode(token.strip(), key, algorithms=[algorithm], **options)


@pytest.fixture
def secret_file() -> str:
    Path("jwt.secret").write_text(SECRET + "\n", encoding="utf-8")
    return "jwt.secret"


def test_a_token_states_who_may_do_what_until_when(secret_file: str) -> None:
    arguments = ["--subject", "a1", "--publish", "a.#", "--publish", "b", "--subscribe", "#", "--expires", "2h"]
    result = run("token", *arguments, "--secret-file", secret_file)
    found = claims(result.stdout)
    assert found["sub"] == "a1"
    assert found["exp"] - found["iat"] == 7200
    permissions = {"publish": ["a.#", "b"], "subscribe": ["#"], "call": [], "admin": False, "observe": False}
    assert found["permissions"] == permissions
    assert len(found["jti"]) == 16


def test_a_token_for_a_dashboard_may_look_and_no_more(secret_file: str) -> None:
    result = run("token", "--subject", "wall", "--subscribe", "#", "--observe", "--secret-file", secret_file)
    granted = claims(result.stdout)["permissions"]
    assert granted == {"publish": [], "subscribe": ["#"], "call": [], "admin": False, "observe": True}


def test_a_token_may_live_for_ever(secret_file: str) -> None:
    result = run("token", "--subject", "a", "--admin", "--expires", "never", "--secret-file", secret_file)
    assert "exp" not in claims(result.stdout)


def test_a_token_may_leave_its_permissions_to_the_broker(secret_file: str) -> None:
    result = run("token", "--subject", "a", "--no-permissions", "--secret-file", secret_file)
    assert "permissions" not in claims(result.stdout)


def test_the_secret_may_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    result = run("token", "--subject", "a", "--admin", "--secret-env", "MY_SECRET")
    assert claims(result.stdout)["sub"] == "a"


def test_the_secret_audience_and_issuer_of_the_configuration_are_used(secret_file: str) -> None:
    text = f"[auth]\njwt_secret_file = '{secret_file}'\naudience = 'swarm'\nissuer = 'me'"
    Path("swarmwire.toml").write_text(text, encoding="utf-8")
    result = run("token", "--subject", "a", "--admin", "--issuer", "you")
    assert claims(result.stdout, audience="swarm", issuer="you")["sub"] == "a"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_signs_by_the_algorithm_it_is_for(algorithm: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    make: dict[str, Callable[[], Any]] = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    key = make[algorithm]()
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path("key.pem").write_bytes(key.private_bytes(*plain))

    result = run("token", "--subject", "a", "--admin", "--secret-file", "key.pem")

    assert claims(result.stdout, key.public_key(), algorithm)["sub"] == "a"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--admin"], "--subject is missing"),
        (["--subject", "uid:0", "--admin"], "--subject: "),
        (["--subject", "a"], "the token would allow nothing"),
        (["--subject", "a", "--admin", "--no-permissions"], "--no-permissions contradicts"),
        (["--subject", "a", "--publish", "a..b"], "--publish a..b: "),
        (["--subject", "a", "--admin", "--expires", "soon"], "--expires: expected a duration"),
        (["--subject", "a", "--admin", "--algorithm", "RS256"], "--algorithm RS256: expected HS256"),
        (["--subject", "a", "--admin", "--secret-env", "X"], "--secret-file and --secret-env contradict"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(arguments: list[str], sentence: str, secret_file: str) -> None:
    result = run("token", *arguments, "--secret-file", secret_file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"swarmwire: {sentence}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("short", "the key cannot sign: the JWT secret must have at least 32 bytes"), ("", "jwt.key is empty")],
)
def test_a_key_that_is_no_good_is_refused(content: str, sentence: str) -> None:
    Path("jwt.key").write_text(content, encoding="utf-8")
    result = run("token", "--subject", "a", "--admin", "--secret-file", "jwt.key")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"swarmwire: {sentence}")


def test_without_any_key_it_says_where_one_can_stand() -> None:
    result = run("token", "--subject", "a", "--admin")
    assert result.exit_code == 2
    assert "no secret is configured: name one by --secret-file or --secret-env" in result.stderr


def test_generated_tokens_are_random_and_long() -> None:
    first, second = run("token", "--generate").stdout, run("token", "--generate").stdout
    assert first != second
    assert len(bytes.fromhex(first.strip())) == 32


# ---- serve


class FakeServer:
    """What `process.run` would be: it remembers the configuration and says that it listens."""

    url = "ws://127.0.0.1:4321/ws"
    urls: ClassVar[list[str]] = [url, "unix:///run/x.sock", "http://127.0.0.1:4321"]

    def __init__(self) -> None:
        self.config = Config()
        self.code = 0
        self.failure: Exception | None = None

    def run(self, config: Config, *, load: Callable[[], Config], on_started: Callable[[FakeServer], None]) -> int:
        assert load() == config
        self.config = config
        if self.failure is not None:
            raise self.failure
        on_started(self)
        return self.code


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake, module = FakeServer(), types.ModuleType("swarmwire_broker.process")
    module.run = fake.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "swarmwire_broker.process", module)
    monkeypatch.setattr("swarmwire_broker.logs.configure_logging", lambda level, format: None)
    return fake


def test_serve_gives_the_server_what_flags_and_settings_say(server: FakeServer) -> None:
    result = run("serve", "--port", "0", "--name", "x", "--set", "limits.max_connections=none", "--set", "metrics=no")
    assert result.exit_code == 0
    assert (server.config.port, server.config.name, server.config.metrics) == (0, "x", False)
    assert server.config.limits.max_connections is None


def test_serve_shares_the_log_of_nats_servers(server: FakeServer) -> None:
    assert run("serve", "--nats", "nats://a:1,nats://b:2", "--nats-space", "left").exit_code == 0
    assert (server.config.nats, server.config.nats_space) == (["nats://a:1", "nats://b:2"], "left")


def test_serve_says_which_log_in_nats_it_shares_and_no_password(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    servers = "nats://me:hunter2@a:1,nats://b"
    lines = run("serve", "--log-format", "text", "--nats", servers).stderr.splitlines()
    assert "log  space main at nats://a:1, nats://b:4222" in [line.strip() for line in lines]
    with caplog.at_level(logging.INFO, "swarmwire.broker"):
        run("serve", "--log-format", "json", "--nats", servers, "--nats-space", "left")
    (record,) = [record for record in caplog.records if record.getMessage() == "listening"]
    assert (vars(record)["nats"], vars(record)["nats_space"]) == (["nats://a:1", "nats://b:4222"], "left")


def test_serve_says_that_a_log_is_in_one_place() -> None:
    result = run("serve", "--nats", "nats://a", "--data", "x")
    assert result.exit_code == 2
    assert "data and nats contradict each other: the log is in a directory or in NATS" in result.stderr


def test_serve_reads_a_named_file(server: FakeServer) -> None:
    Path("my.toml").write_text("name = 'from-file'\nport = 1", encoding="utf-8")
    assert run("serve", "--config", "my.toml", "--port", "2").exit_code == 0
    assert (server.config.name, server.config.port) == ("from-file", 2)


def test_serve_exits_with_the_code_of_the_server(server: FakeServer) -> None:
    server.code = 3
    assert run("serve").exit_code == 3


def test_serve_tells_where_it_listens_and_how_to_try_it(server: FakeServer) -> None:
    lines = run("serve", "--log-format", "text", "--host", "0.0.0.0", "--insecure").stderr.splitlines()
    assert lines[0].split() == ["swarmwire", "ws://127.0.0.1:4321/ws"]
    assert lines[1].strip() == "unix:///run/x.sock"
    assert lines[2].strip() == "http://127.0.0.1:4321"
    assert lines[3].strip() == "dashboard  http://127.0.0.1:4321/"
    assert lines[4].strip() == "login  none: every client may do everything"
    assert lines[5].strip() == "try  swarmwire sub '#' --url ws://127.0.0.1:4321/ws"


def test_serve_logs_where_it_listens_when_logs_are_json(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "swarmwire.broker"):
        result = run("serve", "--log-format", "json", "--token", "hunter2")
    assert result.stderr == ""
    records = [record for record in caplog.records if record.name == "swarmwire.broker"]
    assert [(record.getMessage(), vars(record)["url"], vars(record)["login"]) for record in records] == [
        ("listening", "ws://127.0.0.1:4321/ws", "shared token")
    ]
    assert [vars(record)["urls"] for record in records] == [FakeServer.urls]


@pytest.mark.parametrize(
    ("arguments", "unix", "pipe"),
    [
        ([], "auto", "off"),
        (["--unix"], "auto", "off"),
        (["--unix", "--pipe"], "auto", "auto"),
        (["--unix", "./x.sock", "--pipe", "p"], "./x.sock", "p"),
        (["--pipe", "--unix", "off", "--port", "1"], "off", "auto"),
        (["--unix=/x/y", "--pipe=z"], "/x/y", "z"),
    ],
)
def test_a_socket_and_a_pipe_may_be_asked_for_with_or_without_a_place(
    server: FakeServer, arguments: list[str], unix: str, pipe: str
) -> None:
    assert run("serve", *arguments).exit_code == 0
    assert (server.config.unix, server.config.pipe) == (unix, pipe)


def test_a_value_is_put_behind_an_option_that_stands_alone() -> None:
    assert with_values([], {"--a": "1"}) == []
    assert with_values(["--a", "--b", "x", "--a"], {"--a": "1", "--b": "2"}) == ["--a", "1", "--b", "x", "--a", "1"]


def test_serve_warns_of_a_client_token_that_protects_nothing(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SWARMWIRE_TOKEN", "hunter2")
    run("serve")
    assert "set SWARMWIRE_AUTH_TOKEN" in caplog.text
    caplog.clear()
    run("serve", "--token", "t")
    assert "SWARMWIRE_AUTH_TOKEN" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "limits.max_connection=1"], "limits.max_connection (command line) is not a setting; did you mean"),
        (["--set", "port"], "--set port: expected NAME=VALUE"),
        (["--port", "1", "--set", "port=2"], "port is given twice on the command line"),
        (["--log-level", "loud"], "log_level (command line): expected one of debug"),
        (["--token", "hunter2", "--token-file", "x"], "auth.token and auth.token_file contradict each other"),
        (["--config", "nowhere.toml"], "cannot read the configuration file nowhere.toml"),
    ],
)
def test_serve_refuses_a_wrong_configuration_in_one_sentence(
    arguments: list[str], sentence: str, server: FakeServer
) -> None:
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"swarmwire: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr


def test_a_port_in_use_is_one_sentence(server: FakeServer) -> None:
    server.failure = OSError(98, "cannot listen at 127.0.0.1:8765: Address already in use")
    result = run("serve")
    assert result.exit_code == 2
    assert result.stderr == "swarmwire: cannot listen at 127.0.0.1:8765: Address already in use\n"


# ---- registry watch


def test_the_registry_is_watched_from_what_it_holds_now(client: FakeClient) -> None:
    client.items = {"registry.agent.*": [event("registry.agent.a1", data={"event": "registered"})]}
    result = run("registry", "watch", "--kind", "agent", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["data"] == {"event": "registered"}
    pattern, options = client.subscribed[0]
    assert (pattern, options["from_"]) == ("registry.agent.*", "latest")
