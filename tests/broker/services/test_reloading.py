"""What of another configuration holds at once, and what needs a restart."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from swarmwire_broker.config import Auth, Config
from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.services.operators.reloading import plan_of, secrets_of
from swarmwire_broker.sources import settings_of

RESTART = {
    *("host", "port", "path", "unix", "unix_uids", "unix_gids", "unix_executables", "pipe", "name", "data", "sync"),
    *("nats", "nats_space", "nats_replicas", "nats_wait_ms", "nats_credentials", "nats_ca", "nats_cert", "nats_key"),
    *("insecure", "log_format", "metrics", "dashboard", "allowed_origins", "allowed_hosts"),
    *("limits.log_events", "limits.log_bytes", "limits.log_age_ms", "limits.log_rules", "limits.window_events"),
    *("limits.window_bytes", "limits.write_queue_events", "limits.write_queue_bytes", "limits.latest_topics"),
    *("limits.latest_bytes", "limits.dedupe_ms", "limits.dedupe_keys", "limits.dedupe_keys_per_subject"),
    *("limits.router_cache_topics", "limits.heartbeat_ms", "limits.max_hello_bytes"),
    "limits.max_queues",
}
OTHER = {
    "host": "127.0.0.2",
    "path": "/other",
    "unix": "/run/x/y.sock",
    "unix_uids": [7],
    "unix_gids": [7],
    "unix_executables": ["/bin/sh"],
    "pipe": "auto",
    "data": "there",
    "sync": "normal",
    "nats": ["nats://127.0.0.2:4222"],
    "nats_replicas": 3,
    "nats_credentials": "broker.creds",
    "nats_ca": "ca.pem",
    "log_level": "debug",
    "log_format": "json",
    "allowed_origins": ["https://a.example"],
    "allowed_hosts": ["a.example"],
}


def other(name: str, value: object) -> object:
    """A value of the same kind that is not this one."""
    if name in OTHER:
        return OTHER[name]
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case None:
            return 12_345
    raise AssertionError(name)


def needed(name: str) -> dict[str, Any]:
    """The setting without which this one means nothing."""
    match name.partition("_")[0]:
        case "unix":
            return {"unix": "/run/x/x.sock"}
        case "nats":
            return {"nats": ["nats://127.0.0.1:4222"], "nats_cert": "cert.pem", "nats_key": "key.pem"}
    return {}


@pytest.mark.parametrize("name", [name for name in Config.__struct_fields__ if name not in ("auth", "limits", "rates")])
def test_of_the_settings_of_the_broker_only_the_level_of_the_log_is_applied(name: str) -> None:
    running = Config(**needed(name))
    wanted = structs.replace(running, **{name: other(name, getattr(running, name))})
    plan = plan_of(running, wanted)
    assert (plan.applied, plan.restart) == (([], [name]) if name in RESTART else ([name], []))
    assert plan.config == (running if name in RESTART else wanted)


@pytest.mark.parametrize("name", [name for name in Limits.__struct_fields__ if name != "log_rules"])
def test_a_limit_is_applied_unless_something_was_built_with_it(name: str) -> None:
    running = Config()
    limits = structs.replace(running.limits, **{name: other("", getattr(running.limits, name))})
    plan = plan_of(running, structs.replace(running, limits=limits))
    needs_restart = f"limits.{name}" in RESTART
    assert (plan.applied, plan.restart) == (([], [f"limits.{name}"]) if needs_restart else ([f"limits.{name}"], []))
    assert plan.config.limits == (running.limits if needs_restart else limits)


def test_every_setting_that_needs_a_restart_is_a_setting() -> None:
    assert {setting.name for setting in settings_of(Config)} >= RESTART


def test_rates_are_applied() -> None:
    wanted = Config(rates=Rates(client_bytes=RateLimit(rate=3), failed_logins=None))
    plan = plan_of(Config(), wanted)
    assert plan.applied == ["rates.client_bytes", "rates.failed_logins"]
    assert plan.config == wanted
    assert plan.touches("rates")
    assert not plan.touches("limits")


def test_logins_are_applied_while_clients_have_to_log_in_before_and_after() -> None:
    running, wanted = Config(auth=Auth(token="a")), Config(auth=Auth(token="b"))
    assert plan_of(running, wanted).applied == ["auth.token"]
    assert plan_of(running, wanted).config == wanted
    for pair in ((Config(), wanted), (wanted, Config())):
        plan = plan_of(*pair)
        assert (plan.applied, plan.restart, plan.config) == ([], ["auth.token"], pair[0])


def test_what_is_not_the_brokers_to_change_needs_a_restart() -> None:
    running, wanted = Config(auth=Auth(token="a")), Config(auth=Auth(token="b"), log_level="debug")
    plan = plan_of(running, wanted, keeps_auth=True, keeps_level=True)
    assert (plan.applied, plan.restart, plan.config) == ([], ["log_level", "auth.token"], running)


def test_a_file_that_holds_another_secret_is_named_though_the_setting_is_the_same() -> None:
    running = Config(auth=Auth(token_file="t"))
    plan = plan_of(running, running, rewritten=["auth.token_file"])
    assert (plan.applied, plan.restart) == (["auth.token_file"], [])


def test_secrets_are_told_apart_without_being_kept() -> None:
    one, same, two = (secrets_of(Auth(token=token)) for token in ("a", "a", "b"))
    assert one == same != two
    assert one.token is not None
    assert one.token != "a"
    assert secrets_of(Auth()).token is None
