"""The command line."""

from pathlib import Path

import pytest
from examples.codeswarm.options import read_options


def test_a_directory_is_all_that_is_needed(tmp_path: Path) -> None:
    found = read_options([str(tmp_path)], {})
    assert (found.directory, found.url, found.token, found.workers) == (tmp_path.resolve(), None, None, 3)


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    environment = {"SWARMWIRE_URL": "ws://a/ws", "SWARMWIRE_TOKEN": "t1"}
    assert read_options([str(tmp_path)], environment).url == "ws://a/ws"
    found = read_options([str(tmp_path), "--url", "ws://b/ws", "--token", "t2"], environment)
    assert (found.url, found.token) == ("ws://b/ws", "t2")


def test_the_token_is_read_from_the_file_that_a_flag_or_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("first\n")
    (tmp_path / "two").write_text("second\n")
    environment = {"SWARMWIRE_TOKEN_FILE": str(tmp_path / "one"), "SWARMWIRE_TOKEN": "third"}
    assert read_options([str(tmp_path)], environment).token == "first"
    assert read_options([str(tmp_path), "--token-file", str(tmp_path / "two")], environment).token == "second"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-directory"], "no-such-directory is no directory"),
        ([".", "--workers", "0"], "expected at least 1, got 0"),
        ([".", "--delay-ms", "-1"], "expected at least 0, got -1"),
        ([".", "--rows", "many"], "--rows"),
        ([".", "--token-file", "no-such-file"], "no-such-file cannot be read"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(arguments, {})
    assert complaint in capsys.readouterr().err


def test_the_token_is_in_no_representation(tmp_path: Path) -> None:
    assert "secret" not in repr(read_options([str(tmp_path), "--token", "secret"], {}))
