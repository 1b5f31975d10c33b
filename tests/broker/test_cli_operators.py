"""The commands of operators: what they send, how they show the answer, and how they end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from swarmwire import Disconnected, ErrorCode, SwarmwireError
from swarmwire_broker.broker import Broker
from swarmwire_broker.cli import app, operators
from swarmwire_broker.cli.brokercommands import SINGLES
from swarmwire_broker.cli.commands import Command, Kind, Show, Table
from swarmwire_broker.cli.tables import cell

COMMANDS = {
    **{f"{group.name} {command.name}": command for group in operators.GROUPS.values() for command in group.commands},
    **{command.name: command for command in SINGLES},
}


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SWARMWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


class FakeClient:
    """Answers every call with what a test put there."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.calls: list[tuple[str, Any, Any]] = []
        self.answer: Any = {}
        self.replies: list[Any] = []
        self.refusal: BaseException | None = None
        self.disconnects = 0
        self.limits: dict[str, int | None] = {}

    async def connect(self, url: str | None, **options: Any) -> FakeClient:
        self.asked = {"url": url, **options}
        return self

    async def disconnect(self) -> None:
        self.disconnects += 1

    async def call(self, method: str, params: Any = None, *, timeout: Any = "own") -> Any:
        self.calls.append((method, params, timeout))
        if self.refusal is not None:
            raise self.refusal
        return self.answer

    async def stream(self, method: str, params: Any = None, *, timeout: Any = "own") -> AsyncIterator[Any]:
        self.calls.append((method, params, timeout))
        for reply in self.replies:
            yield reply
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr("swarmwire.connect", fake.connect)
    return fake


def run(*arguments: str, input: bytes | None = None, of: typer.Typer = app) -> Result:
    result = CliRunner().invoke(of, list(arguments), input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_alone(path: str, *arguments: str) -> Result:
    """Run one command without building all the others."""
    group, _, name = path.rpartition(" ")
    return run(name, *arguments, of=operators.group(group)) if group else run(path, *arguments)


def lines(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


# ---- the descriptions


async def test_every_command_calls_a_method_that_there_is_with_parameters_that_it_takes() -> None:
    broker = Broker()
    await broker.start()
    known = {name: builtin.method.params for name, builtin in broker.hub.calls.methods.items()}
    await broker.stop()
    for command in COMMANDS.values():
        assert command.method in known, command.method
        fields = {field.encode_name for field in msgspec.structs.fields(known[command.method])}
        assert {option.name for option in command.options} <= fields, command.method


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_what_it_takes(path: str) -> None:
    result = run_alone(path, "--help")
    assert result.exit_code == 0
    text = re.sub(r"[\s│]+", " ", result.stdout)
    command = COMMANDS[path]
    assert command.help in text
    for option in command.options:
        assert option.help in text, option.name
        assert all(flag in text for flag in option.flags)
    assert "--json" in text


@pytest.mark.parametrize("path", COMMANDS)
def test_an_argument_that_must_be_given_comes_first(path: str) -> None:
    arguments = [option.required for option in COMMANDS[path].options if not option.flags]
    assert arguments == sorted(arguments, reverse=True)


def samples(command: Command) -> Iterator[str]:
    texts = {Kind.NUMBER: "7", Kind.DURATION: "90s", Kind.JSON: '{"a": 1}', Kind.VALUE: "[1]", Kind.REAL: "0.5"}
    for option in command.options:
        text = texts.get(option.kind, "word")
        if not option.flags:
            yield text
        elif option.kind is Kind.FLAG:
            yield option.flags[0]
        else:
            yield from (option.flags[-1], text)


def required(command: Command) -> list[str]:
    return ["7" if option.kind is Kind.NUMBER else "word" for option in command.options if option.required]


@pytest.mark.parametrize("path", COMMANDS)
def test_everything_that_is_given_is_sent(path: str, client: FakeClient) -> None:
    command = COMMANDS[path]
    values = {Kind.NUMBER: 7, Kind.DURATION: 90_000, Kind.JSON: {"a": 1}, Kind.VALUE: [1], Kind.FLAG: True}
    values |= {Kind.TEXTS: ["word"], Kind.REAL: 0.5}
    result = run_alone(path, *samples(command), "--json", "--url", "ws://h/ws", "--token", "t")
    assert result.exit_code == 0, result.output
    expected = {option.name: values.get(option.kind, "word") for option in command.options}
    assert [(method, params) for method, params, _ in client.calls] == [(command.method, expected)]
    assert (client.asked["url"], client.asked["token"], client.disconnects) == ("ws://h/ws", "t", 1)


@pytest.mark.parametrize("path", COMMANDS)
def test_what_is_not_given_is_not_sent_but_for_the_defaults(path: str, client: FakeClient) -> None:
    command = COMMANDS[path]
    assert run_alone(path, *required(command), "--json").exit_code == 0
    sent = set(client.calls[0][1])
    assert sent == {option.name for option in command.options if option.required or option.default is not None}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != "logs"])
def test_an_answer_as_json_is_one_line(path: str, client: FakeClient) -> None:
    client.answer = {"x": [1, {"y": "grüße\n"}]}
    (line,) = lines(run_alone(path, *required(COMMANDS[path]), "--json"))
    assert json.loads(line) == client.answer


def test_the_log_as_json_is_a_line_for_each_of_its_lines(client: FakeClient) -> None:
    client.replies = [{"lines": [{"number": 1}, {"number": 2}]}, {"lines": [{"number": 3}]}]
    assert [json.loads(line) for line in lines(run("logs", "-f", "--json"))] == [{"number": n} for n in (1, 2, 3)]


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if isinstance(command.view, Table)])
def test_an_empty_list_is_said_in_words(path: str, client: FakeClient) -> None:
    view = COMMANDS[path].view
    assert isinstance(view, Table)
    client.answer = {view.key: [], **dict.fromkeys(view.totals, 0)}
    assert lines(run_alone(path, *required(COMMANDS[path]))) == [view.nothing]


def test_the_page_for_operators_lists_every_command() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    for group in operators.GROUPS.values():
        row = next(line for line in page.splitlines() if re.match(rf"\| .*`{group.name}`.* \|", line))
        listed = set(re.findall(r"[a-z]+", row.split("|")[2]))
        assert listed >= {command.name for command in group.commands}, group.name


# ---- how it is shown


def test_a_list_is_a_table_with_its_totals(client: FakeClient) -> None:
    task = {"id": "t1", "type": "resize", "queue": "images", "state": "in-progress", "progress": 40.0, "attempts": 1}
    client.answer = {"count": 12, "tasks": [{**task, "worker": "w\x1b[31m1"}, {"id": "t2"}]}
    head, first, second, totals = lines(run("task", "list"))
    assert head.split() == ["ID", "TYPE", "QUEUE", "STATE", "PROGRESS", "ATTEMPTS", "WORKER", "SUBMITTED"]
    assert first.split() == ["t1", "resize", "images", "in-progress", "40%", "1", "w\ufffd[31m1", "-"]
    assert second.split() == ["t2", *"-------"]
    assert totals == "count 12"


def test_nothing_of_a_wide_table_is_cut_where_no_terminal_is(client: FakeClient) -> None:
    client.answer = {"count": 1, "projects": [{"id": "p", "path": "/x" * 300}]}
    assert "/x" * 300 in lines(run("project", "list"))[1]


def test_facts_are_lines_with_dotted_names(client: FakeClient) -> None:
    client.answer = {"status": "running", "uptime": 90_000, "system": {"memory_bytes": 3 * 2**20}, "urls": ["a", "b"]}
    assert [line.split(maxsplit=1) for line in lines(run("daemon", "status"))] == [
        ["status", "running"],
        ["uptime", "1m30s"],
        ["system.memory_bytes", "3.0 MiB"],
        ["urls", "a, b"],
    ]


def test_the_name_of_a_field_cannot_steer_the_terminal(client: FakeClient) -> None:
    client.answer = {"id": "b1", "metadata": {"k\x1b[2J\ney": "v"}}
    assert lines(run_alone("registry get", "b1")) == ["id                 b1", "metadata.k\ufffd[2J\ufffdey  v"]


def test_in_a_narrow_terminal_the_widest_cells_give_way_and_what_a_row_is_called_stays_whole(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    client.answer = {"count": 1, "clients": [{"client_id": "0123456789ab", "name": "n" * 100, "subject": "uid:0"}]}
    table = lines(run_alone("client list"))
    assert table[1].startswith("0123456789ab  n")
    assert "\u2026" in table[1]
    assert all(len(line) <= 80 for line in table)  # that is how wide a dumb terminal is
    assert len(table) == 3


def test_a_sentence_takes_its_words_from_the_answer(client: FakeClient) -> None:
    client.answer = {"task": {"id": "t1", "state": "cancelled"}}
    assert lines(run("task", "cancel", "t1", "--reason", "enough")) == ["t1 is cancelled"]
    assert client.calls[0][1] == {"id": "t1", "reason": "enough"}


def test_a_line_of_the_log_cannot_steer_the_terminal(client: FakeClient) -> None:
    entry = {"number": 1, "ts": 0, "level": "error", "logger": "swarmwire.x", "message": "a\x1bb\nc"}
    client.replies = [{"lines": [{**entry, "fields": {"id": 5}, "exception": "Traceback\nOops\x07"}], "missed": 3}]
    first, *rest = lines(run("logs"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.000  error   swarmwire\.x  a\ufffdb\ufffdc  id=5", first)
    assert rest == ["    Traceback", "    Oops\ufffd", "... 3 lines were missed"]


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (None, Show.PLAIN, "-"),
        ([], Show.PLAIN, "-"),
        ("", Show.PLAIN, "-"),
        (0, Show.PLAIN, "0"),
        (False, Show.PLAIN, "no"),
        (1_234.5, Show.PLAIN, "1,234.5"),
        (2.0, Show.PLAIN, "2"),
        (["a", "b"], Show.PLAIN, "a, b"),
        ([{"a": 1}], Show.PLAIN, '[{"a":1}]'),
        (0, Show.SPAN, "0ms"),
        (1_500, Show.SPAN, "1.5s"),
        (61_000, Show.SPAN, "1m01s"),
        (7_260_000, Show.SPAN, "2h01m"),
        (200 * 3_600_000, Show.SPAN, "8d08h"),
        (500, Show.BYTES, "500 B"),
        (2048, Show.BYTES, "2.0 KiB"),
        (5 * 2**30, Show.BYTES, "5.0 GiB"),
        (12.4, Show.PERCENT, "12%"),
        ("soon", Show.AGO, "soon"),
    ],
)
def test_a_cell_is_written_for_people(value: object, how: Show, text: str) -> None:
    assert cell(value, how) == text


def test_a_time_is_told_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000.0)
    assert cell(999_000, Show.AGO) == "1.0s ago"
    assert cell(1_060_000, Show.AGO) == "in 1m00s"


# ---- how it ends


def test_a_refusal_is_one_sentence_and_1(client: FakeClient) -> None:
    client.refusal = SwarmwireError(ErrorCode.NOT_FOUND, "There is no task of this id.", field="params.id")
    result = run("task", "show", "t9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "swarmwire: NOT_FOUND: There is no task of this id. (field params.id)\n"


@pytest.mark.parametrize(("path", "code"), [("logs", 0), ("task list", 130)])
def test_ctrl_c_is_the_usual_end_of_a_stream_alone(path: str, code: int, client: FakeClient) -> None:
    client.refusal = KeyboardInterrupt()
    assert run(*path.split()).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "answer", "code"),
    [
        (["health"], {"status": "ok"}, 0),
        (["health"], {"status": "degraded"}, 0),
        (["health"], {"status": "failing"}, 1),
        (["health", "--json"], {"status": "failing"}, 1),
        (["task", "wait", "t"], {"task": {"state": "completed"}}, 0),
        (["task", "wait", "t"], {"task": {"state": "failed"}}, 1),
    ],
)
def test_an_answer_that_is_bad_news_is_1(
    arguments: list[str], answer: dict[str, Any], code: int, client: FakeClient
) -> None:
    client.answer = answer
    assert run(*arguments).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["task", "submit", "x", "--delay", "soon"], "--delay: expected a duration"),
        (["task", "submit", "x", "--metadata", "{"], "is not JSON"),
        (["task", "submit", "x", "@missing.json"], "cannot read missing.json"),
        (["worker", "scale", "many"], "COUNT"),
        (["task", "frobnicate"], "No such command"),
        (["call", "x", "{nope"], "is not JSON"),
    ],
)
def test_what_makes_no_sense_is_2_and_nothing_is_sent(arguments: list[str], words: str, client: FakeClient) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert client.calls == []


def test_who_waits_for_a_task_has_all_the_time_it_needs_unless_told_otherwise(client: FakeClient) -> None:
    run("task", "wait", "t")
    run("task", "wait", "t", "--timeout", "2.5")
    run("task", "show", "t")
    run("task", "show", "t", "--timeout", "0")
    assert [timeout for _, _, timeout in client.calls] == [86_400.0, 2.5, "own", 0.0]


def test_nobody_asks_for_more_time_than_the_broker_gives_unless_told_to(client: FakeClient) -> None:
    client.limits = {"max_call_timeout_ms": 90_000}
    run("logs")
    run("logs", "--timeout", "100")
    client.limits = {"max_call_timeout_ms": None}
    run("logs")
    assert [timeout for _, _, timeout in client.calls] == [90.0, 100.0, 86_400.0]


def test_a_broker_that_does_not_know_the_method_is_called_old(client: FakeClient) -> None:
    client.refusal = SwarmwireError(ErrorCode.METHOD_NOT_FOUND)
    result = run("health")
    assert result.exit_code == 1
    assert result.stderr == "swarmwire: the broker does not know health.check: it is older than this command\n"
    assert "METHOD_NOT_FOUND" in run("call", "health.check").stderr  # which may be anybody's


def test_whoever_follows_the_log_is_told_that_the_connection_is_lost(client: FakeClient) -> None:
    client.refusal = Disconnected(ErrorCode.OUTCOME_UNKNOWN, "It may have been done.")
    result = run("logs", "-f")
    assert (result.exit_code, result.stderr) == (1, "swarmwire: the connection to the broker is lost\n")
    assert "It may have been done." in run("daemon", "stop").stderr


# ---- call


def test_call_takes_its_parameters_from_the_argument_a_file_or_standard_input(
    client: FakeClient, tmp_path: Path
) -> None:
    client.answer = {"ok": True}
    (tmp_path / "params.json").write_text('{"b": 2}', encoding="utf-8")
    assert lines(run("call", "m")) == ['{"ok":true}']
    run("call", "m", '{"a": 1}', "--timeout", "5")
    run("call", "m", "@params.json")
    run("call", "m", "-", input=b"[3]")
    assert client.calls == [("m", None, "own"), ("m", {"a": 1}, 5.0), ("m", {"b": 2}, "own"), ("m", [3], "own")]


def test_call_prints_every_reply_of_a_stream(client: FakeClient) -> None:
    client.replies = [1, None, "x"]
    assert lines(run("call", "m", "--stream")) == ["1", "null", '"x"']


# ---- for daemons of one's own


def test_another_application_takes_groups_and_single_commands_for_its_own_broker(client: FakeClient) -> None:
    own = typer.Typer()
    operators.add_to(own, "daemon.status", "queue", "health", broker="mine")
    client.answer = {"status": "ok"}
    for arguments in (["status"], ["health"], ["queue", "pause", "q"]):
        assert run(*arguments, of=own).exit_code == 0
        assert (client.asked["url"], client.asked["broker"]) == (None, "mine")
    assert [method for method, _, _ in client.calls] == ["daemon.status", "health.check", "queue.pause"]
    for unknown in ("nothing", "daemon.nothing"):
        with pytest.raises(KeyError):
            operators.add_to(own, unknown)


def test_what_is_no_command_of_a_group_that_runs_is_what_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from swarmwire_broker.cli.defaultrun import DefaultRun

    ran: list[tuple[str, int]] = []
    group = operators.group("worker", cls=DefaultRun)

    @group.command("run")
    def start(module: str, count: int = 1) -> None:
        ran.append((module, count))

    assert run("shop.images", "--count", "3", of=group).exit_code == 0
    assert run("run", "status", of=group).exit_code == 0
    assert ran == [("shop.images", 3), ("status", 1)]
    assert "restart" in run("--help", of=group).stdout


def test_describing_all_commands_is_quick_and_loads_nothing_heavy() -> None:
    heavy = ["asyncio", "swarmwire", "uvicorn", "structlog", "prometheus_client", "msgspec", "rich.table"]
    code = (
        f"import sys; import swarmwire_broker.cli.operators; print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "swarmwire" not in json.loads(result.stdout.replace("'", '"'))
    assert {"uvicorn", "structlog", "prometheus_client"}.isdisjoint(json.loads(result.stdout.replace("'", '"')))
