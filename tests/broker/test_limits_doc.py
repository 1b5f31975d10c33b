"""The tables of docs/limits.md and docs/configuration.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmwire_broker.config import Config, load_config
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.sources import Setting, parse, settings_of

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"\| `([a-z_.]+)` \| `([A-Z_]+)` \| (`[^`]*`|empty) \| (.+) \|")


def rows(page: str) -> list[tuple[str, str, str, str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [row.groups() for line in text.splitlines() if (row := ROW.fullmatch(line))]  # type: ignore[misc]


def settings(page: str) -> list[Setting]:
    limits = page == "limits.md"
    found = settings_of(Config)
    return [setting for setting in found if setting.name.startswith(("limits.", "rates.")) == limits]


@pytest.mark.parametrize("page", ["limits.md", "configuration.md"])
def test_a_page_lists_every_setting_once_in_the_order_of_the_code(page: str) -> None:
    assert [row[0] for row in rows(page)] == [setting.name for setting in settings(page)]


@pytest.mark.parametrize("page", ["limits.md", "configuration.md"])
def test_a_page_names_the_environment_variable_of_each_setting(page: str) -> None:
    assert [row[1] for row in rows(page)] == [setting.env for setting in settings(page)]


@pytest.mark.parametrize("page", ["limits.md", "configuration.md"])
def test_the_default_in_a_page_is_the_one_of_the_code(page: str) -> None:
    for setting, (name, _, default, _) in zip(settings(page), rows(page), strict=True):
        text = "" if default == "empty" else default.strip("`")
        assert parse(setting, text, page) == setting.default, name


@pytest.mark.parametrize("page", ["limits.md", "configuration.md"])
def test_a_page_says_something_of_every_setting(page: str) -> None:
    for name, _, _, meaning in rows(page):
        assert len(meaning) > 15, name


def test_limits_says_of_each_setting_that_can_be_none_that_it_can() -> None:
    by_name = {row[0]: row for row in rows("limits.md")}
    for setting in settings("limits.md"):
        if setting.name.startswith("limits."):
            assert setting.optional == ("`none` possible" in by_name[setting.name][3]), setting.name


def test_the_records_have_no_setting_that_the_pages_cannot_know() -> None:
    names = {f"limits.{name}" for name in Limits.__struct_fields__}
    names |= {f"rates.{name}" for name in Rates.__struct_fields__}
    assert {row[0] for row in rows("limits.md")} == names


def test_the_example_of_the_configuration_page_is_a_configuration(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    file = tmp_path / "swarmwire.toml"
    file.write_text(found[1], encoding="utf-8")

    config = load_config({}, {}, file)

    assert config.name == "factory"
    assert config.rates.topics == {"agent.*.log": RateLimit(rate=1000.0)}
    assert config.auth.default_permissions is not None
    assert config.auth.default_permissions.subscribe == ["public.#"]
