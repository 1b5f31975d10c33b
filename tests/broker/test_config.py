"""The configuration: precedence, the text of values, and errors that name the setting and its source."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from swarmwire_broker.config import Auth, Config, ConfigError, load_config, setting_names
from swarmwire_broker.core.settings import Limits, RateLimit
from swarmwire_broker.sources import settings_of

SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "broker.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def refused(flags: dict[str, object] | None = None, env: dict[str, str] | None = None, toml: str = "") -> str:
    """The sentence that these settings are refused with."""
    with pytest.raises(ConfigError) as caught:
        load_config(flags or {}, env or {}, written(toml))
    return str(caught.value)


# ---- Precedence


def test_without_anything_every_setting_has_its_default() -> None:
    assert load_config({}, {}) == Config()


def test_flags_win_over_the_environment_and_that_over_the_file() -> None:
    file = written("host = 'file'\nport = 1\nname = 'file'\nmetrics = false")
    env = {"SWARMWIRE_HOST": "env", "SWARMWIRE_PORT": "2"}

    config = load_config({"host": "flag"}, env, file)

    assert (config.host, config.port, config.name, config.metrics) == ("flag", 2, "file", False)


def test_settings_of_one_table_may_come_from_different_places() -> None:
    file = written("[limits]\nmax_connections = 5\nmax_headers = 6")
    config = load_config({"limits.page_scan": 7}, {"SWARMWIRE_LIMITS_MAX_HEADERS": "8"}, file)
    assert config.limits == Limits(max_connections=5, max_headers=8, page_scan=7)


def test_a_rate_limit_is_replaced_as_a_whole() -> None:
    file = written("[rates]\nclient_messages = { rate = 1, burst = 2 }")
    config = load_config({}, {"SWARMWIRE_RATES_CLIENT_MESSAGES": "3"}, file)
    assert config.rates.client_messages == RateLimit(rate=3.0, burst=None)


def test_the_environment_is_that_of_the_process_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_NAME", "from-env")
    assert load_config().name == "from-env"


def test_swarmwire_toml_is_read_where_it_lies() -> None:
    written("name = 'here'", "swarmwire.toml")
    assert load_config({}, {}).name == "here"


def test_a_variable_names_the_file_and_an_argument_wins_over_it() -> None:
    first, second = written("name = 'first'", "a.toml"), written("name = 'second'", "b.toml")
    written("name = 'default'", "swarmwire.toml")
    assert load_config({}, {"SWARMWIRE_CONFIG": str(first)}).name == "first"
    assert load_config({}, {"SWARMWIRE_CONFIG": str(first)}, second).name == "second"


def test_a_named_file_that_is_missing_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration file nowhere\.toml: No such file"):
        load_config({}, {"SWARMWIRE_CONFIG": "nowhere.toml"})


def test_variables_of_the_client_are_no_settings_of_the_broker() -> None:
    env = {"SWARMWIRE_TOKEN": "t", "SWARMWIRE_URL": "ws://x/ws", "SWARMWIRE_RUNTIME_DIR": "/x"}
    env |= {"SWARMWIRE_LOCK_DIR": "/x", "SWARMWIRE_LOCK_NAME": "x", "SWARMWIRE_LOCK_TOKEN": "7", "SWARMWIRE_KEYS": "k"}
    assert load_config({}, env) == Config()


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [setting.env for setting in settings_of(Config)]
    assert len(variables) == len(set(variables)) == len(setting_names())


# ---- Values


@pytest.mark.parametrize("name", ["max_connections", "max_subscriptions", "log_events", "outbox_total_bytes"])
def test_none_takes_a_limit_away_in_every_place(name: str) -> None:
    variable = f"SWARMWIRE_LIMITS_{name.upper()}"
    assert getattr(load_config({f"limits.{name}": "none"}, {}).limits, name) is None
    assert getattr(load_config({}, {variable: "None"}).limits, name) is None
    assert getattr(load_config({}, {}, written(f"[limits]\n{name} = 'none'")).limits, name) is None


def test_zero_stays_zero_in_every_place() -> None:
    file = written("port = 0\n[limits]\nmax_connections = 0")
    for config in (
        load_config({"port": 0, "limits.max_connections": 0}, {}),
        load_config({}, {"SWARMWIRE_PORT": "0", "SWARMWIRE_LIMITS_MAX_CONNECTIONS": "0"}),
        load_config({}, {}, file),
    ):
        assert config.port == 0
        assert config.limits.max_connections == 0


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**53))
def test_a_whole_number_means_the_same_as_text_and_as_a_value(number: int) -> None:
    name = "limits.log_events"
    as_text, as_value = load_config({name: str(number)}, {}), load_config({name: number}, {})
    assert as_text == as_value
    assert as_text.limits.log_events == number


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    config = load_config({}, {"SWARMWIRE_ALLOWED_HOSTS": "a.example, b.example,", "SWARMWIRE_ALLOWED_ORIGINS": ""})
    assert config.allowed_hosts == ["a.example", "b.example"]
    assert config.allowed_origins == []


def test_lists_of_numbers_mean_the_same_as_text_and_as_values() -> None:
    flags = {"unix": "/x/y", "unix_uids": "1000, 1001"}
    assert load_config(flags, {}).unix_uids == [1000, 1001]
    assert load_config({}, {}, written("unix = '/x/y'\nunix_uids = [1000, 1001]")).unix_uids == [1000, 1001]
    assert "unix_uids (command line): expected a list of whole numbers, got 'me'" in refused({"unix_uids": "me"})
    assert "unix_uids (command line): expected a list of whole numbers, got [-1]" in refused({"unix_uids": "-1"})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("YES", True), ("1", True), ("off", False), ("0", False)])
def test_a_switch_in_the_environment_is_a_word(text: str, value: bool) -> None:
    assert load_config({}, {"SWARMWIRE_METRICS": text}).metrics is value


@pytest.mark.parametrize(
    ("text", "limit"),
    [("100", RateLimit(rate=100.0)), ("0.5,10", RateLimit(rate=0.5, burst=10.0)), ("0,0", RateLimit(rate=0, burst=0))],
)
def test_a_rate_in_the_environment_is_a_number_and_a_burst(text: str, limit: RateLimit) -> None:
    assert load_config({}, {"SWARMWIRE_RATES_CLIENT_BYTES": text}).rates.client_bytes == limit


def test_rates_of_topics_keep_their_order_in_every_place() -> None:
    expected = [("z.#", RateLimit(rate=1.0, burst=2.0)), ("a.*", RateLimit(rate=3.0))]
    file = written("[rates.topics]\n'z.#' = { rate = 1, burst = 2 }\n'a.*' = { rate = 3 }")
    assert list(load_config({"rates.topics": "z.#=1,2 a.*=3"}, {}).rates.topics.items()) == expected
    assert list(load_config({}, {}, file).rates.topics.items()) == expected


def test_no_limit_on_failed_logins_can_be_said() -> None:
    assert load_config({}, {"SWARMWIRE_RATES_FAILED_LOGINS": "none"}).rates.failed_logins is None


def test_default_permissions_are_absent_unless_one_of_them_is_given() -> None:
    assert load_config({"auth.token": "t"}, {}).auth.default_permissions is None
    env = {"SWARMWIRE_AUTH_TOKEN": "t", "SWARMWIRE_AUTH_DEFAULT_PERMISSIONS_PUBLISH": "a.#,b"}
    permissions = load_config({}, env).auth.default_permissions
    assert permissions is not None
    assert (permissions.publish, permissions.subscribe, permissions.admin) == (["a.#", "b"], [], False)


# ---- Errors


def test_an_unknown_setting_is_named_with_its_place_and_the_nearest_one() -> None:
    assert refused({"limits.max_connection": "1"}) == (
        "limits.max_connection (command line) is not a setting; did you mean limits.max_connections?"
    )
    assert refused(env={"SWARMWIRE_PRT": "1"}) == (
        "SWARMWIRE_PRT (environment) is not a setting; did you mean SWARMWIRE_PORT?"
    )
    assert refused(toml="[limits]\nmax_header = 1") == (
        "limits.max_header (file broker.toml) is not a setting; did you mean limits.max_headers?"
    )


def test_a_whole_table_that_is_unknown_is_named() -> None:
    assert refused(toml="[limit]\nmax_headers = 1").startswith("limit (file broker.toml) is not a setting")


def test_a_value_where_a_table_belongs_is_named() -> None:
    assert refused(toml="limits = 3") == "limits (file broker.toml): expected a table, got a number"
    assert refused(toml="auth = 'sesame'") == "auth (file broker.toml): expected a table, got text"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("port = '8000'", "port (file broker.toml): expected a whole number from 0 to 65535, got '8000'"),
        ("port = true", "port (file broker.toml): expected a whole number from 0 to 65535, got True"),
        ("port = 1.0", "port (file broker.toml): expected a whole number from 0 to 65535, got 1.0"),
        ("host = 1", "host (file broker.toml): expected text, got 1"),
        ("metrics = 1", "metrics (file broker.toml): expected true or false, got 1"),
        ("allowed_hosts = 'a'", "allowed_hosts (file broker.toml): expected a list of texts, got 'a'"),
        ("allowed_hosts = [1]", "allowed_hosts (file broker.toml): expected a list of texts, got [1]"),
        ("path = 'ws'", "path (file broker.toml): expected text like ^/, got 'ws'"),
    ],
)
def test_a_value_of_the_wrong_type_in_the_file_says_what_was_expected_and_what_came(toml: str, sentence: str) -> None:
    assert refused(toml=toml) == sentence


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("PORT", "abc", "port (environment SWARMWIRE_PORT): expected a whole number from 0 to 65535, got 'abc'"),
        ("PORT", "", "port (environment SWARMWIRE_PORT): expected a whole number from 0 to 65535, got ''"),
        ("PORT", "none", "port (environment SWARMWIRE_PORT): expected a whole number from 0 to 65535, got 'none'"),
        ("METRICS", "maybe", "metrics (environment SWARMWIRE_METRICS): expected true or false, got 'maybe'"),
        (
            "LOG_LEVEL",
            "loud",
            "log_level (environment SWARMWIRE_LOG_LEVEL): expected one of debug, error, info, warning, got 'loud'",
        ),
        (
            "LIMITS_HEARTBEAT_MS",
            "0",
            "limits.heartbeat_ms (environment SWARMWIRE_LIMITS_HEARTBEAT_MS): "
            "expected a whole number from 1 to 9007199254740992, got 0",
        ),
        (
            "LIMITS_LOG_EVENTS",
            "-1",
            "limits.log_events (environment SWARMWIRE_LIMITS_LOG_EVENTS): "
            "expected a whole number from 0 to 9007199254740992 or none, got -1",
        ),
    ],
)
def test_a_text_that_cannot_be_read_says_what_was_expected_and_what_came(
    variable: str, text: str, sentence: str
) -> None:
    assert refused(env={f"SWARMWIRE_{variable}": text}) == sentence


@pytest.mark.parametrize("text", ["x", "1,x", "", "inf", "nan", "-1", "1,inf"])
def test_a_rate_that_is_no_pair_of_finite_numbers_is_refused(text: str) -> None:
    assert refused({"rates.client_messages": text}).startswith("rates.client_messages (command line): expected a rate")


@pytest.mark.parametrize("rate", ["{ rate = inf }", "{ rate = nan }", "{ rte = 1 }", "{}", "5"])
def test_a_rate_in_the_file_is_a_table_of_finite_numbers(rate: str) -> None:
    assert refused(toml=f"[rates]\nclient_messages = {rate}").startswith("rates.client_messages (file broker.toml)")


@pytest.mark.parametrize("text", ["a", "a..b=1", "a=b", "a=1 b"])
def test_rates_of_topics_need_patterns_with_rates(text: str) -> None:
    assert refused({"rates.topics": text}).startswith("rates.topics")


def test_a_file_that_is_no_toml_is_named_with_the_place() -> None:
    assert refused(toml="port = \n").startswith("the configuration file broker.toml is not TOML:")


def test_a_file_that_is_no_text_is_named() -> None:
    Path("binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"the configuration file binary\.toml is not TOML"):
        load_config({}, {}, Path("binary.toml"))


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refused({"port": "9" * 10_000})) < 200


# ---- Contradictions


def test_two_settings_that_contradict_each_other_are_named_with_their_places() -> None:
    sentence = refused({"auth.token": SECRET}, {}, "[auth]\ntoken_file = 'x'")
    assert sentence == (
        "auth.token and auth.token_file contradict each other: give one "
        "(auth.token: command line; auth.token_file: file broker.toml)"
    )


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ({"token": ""}, "auth.token is empty"),
        ({"jwt_secret": SECRET, "jwt_secret_file": "x"}, "auth.jwt_secret and auth.jwt_secret_file contradict"),
        ({"jwks_url": "https://x.example"}, "auth.jwks_url needs auth.algorithms: some of RS256, ES256, EdDSA"),
        ({"jwt_public_key": "k", "algorithms": ["HS256"]}, "auth.jwt_public_key needs auth.algorithms"),
        ({"jwt_secret": SECRET, "algorithms": ["RS256"]}, "auth.jwt_secret needs auth.algorithms: some of HS256"),
        ({"jwt_secret": SECRET, "algorithms": ["HS256", "none"]}, "got none"),
        ({"algorithms": ["HS256"]}, "auth.algorithms means nothing without a key"),
        ({"audience": "x"}, "auth.audience means nothing without a key"),
        ({"token": "t", "leeway_seconds": 1.0}, "auth.leeway_seconds means nothing without a key"),
    ],
)
def test_logins_that_cannot_work_are_refused(auth: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        msgspec.structs.replace(Auth(), **auth)
    assert SECRET not in str(caught.value)


def test_default_permissions_need_authentication() -> None:
    assert "mean nothing without authentication" in refused({"auth.default_permissions.publish": "#"})


def test_default_permissions_are_patterns() -> None:
    sentence = refused({"auth.token": "t", "auth.default_permissions.subscribe": "a..b"})
    assert sentence.startswith("auth.default_permissions.subscribe: ")


def test_what_is_local_to_a_machine_without_authentication_is_refused() -> None:
    assert "auth.local means nothing without authentication" in refused({"auth.local": "full"})


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"unix": "x.sock"}, "unix: expected auto, off or a path with a '/' in it, got 'x.sock'"),
        ({"unix": ""}, "unix: expected auto, off or a path"),
        ({"unix": "off", "unix_executables": "/bin/x"}, "unix_executables means nothing while unix is off"),
        ({"unix": "off", "unix_uids": "7"}, "unix_uids means nothing while unix is off"),
        ({"unix_uids": "7"}, "unix_uids lets other users in: set unix to a path that they can reach"),
        ({"unix_gids": "7"}, "unix_gids lets other users in"),
        ({"unix_executables": "/bin/x,python"}, "unix_executables: expected absolute paths, got 'python'"),
        ({"name": ".."}, "name: A broker's name is"),
        ({"pipe": "a/b"}, "pipe: A broker's name is"),
    ],
)
def test_places_that_cannot_be_are_refused(flags: dict[str, object], sentence: str) -> None:
    assert refused(flags).startswith(sentence)


def test_a_default_queue_over_the_largest_queue_is_refused() -> None:
    assert "limits.queue_size (1000) is over limits.max_queue_size (10)" in refused({"limits.max_queue_size": 10})


# ---- Secrets


def test_a_secret_is_neither_in_a_repr_nor_in_an_error() -> None:
    config = load_config({"auth.token": SECRET}, {"SWARMWIRE_AUTH_JWT_SECRET": SECRET})
    shown = io.StringIO()
    Console(file=shown, width=10_000).print(config)
    for text in (repr(config), str(config.auth), shown.getvalue()):
        assert SECRET not in text
        assert "token='***'" in text.replace(" ", "")
    assert "got a list that is not shown" in refused(toml=f"[auth]\ntoken = ['{SECRET}']")


def test_an_absent_secret_is_shown_as_absent() -> None:
    assert "token=None" in repr(Auth())


def test_a_secret_can_stand_in_a_file_with_a_line_end() -> None:
    written(f"  {SECRET}\n", "secret")
    auth = Auth(token_file="secret", jwt_secret_file="secret")
    assert auth.read_token() == SECRET
    assert auth.read_jwt_secret() == SECRET
    assert Auth(jwt_public_key_file="secret", algorithms=["ES256"]).read_jwt_public_key() == SECRET


def test_a_secret_file_that_is_missing_or_empty_is_named() -> None:
    written("\n", "empty")
    with pytest.raises(ConfigError, match=r"auth\.token_file: cannot read nowhere: No such file"):
        Auth(token_file="nowhere").read_token()
    with pytest.raises(ConfigError, match=r"auth\.jwt_secret_file: empty is empty"):
        Auth(jwt_secret_file="empty").read_jwt_secret()


def test_secrets_that_are_given_directly_are_read_too() -> None:
    auth = Auth(token="t", jwt_secret=SECRET)
    assert (auth.read_token(), auth.read_jwt_secret(), auth.read_jwt_public_key()) == ("t", SECRET, None)


@pytest.mark.parametrize(
    ("auth", "configured", "words"),
    [
        (Auth(), False, "none: every client may do everything"),
        (Auth(token="t"), True, "shared token"),
        (Auth(token_file="t"), True, "shared token"),
        (Auth(jwt_secret=SECRET), True, "JSON web tokens (HS256)"),
        (
            Auth(token="t", jwks_url="https://x.example", algorithms=["RS256", "ES256"]),
            True,
            "shared token and JSON web tokens (RS256, ES256)",
        ),
    ],
)
def test_the_kind_of_login_can_be_told(auth: Auth, configured: bool, words: str) -> None:
    assert auth.configured is configured
    assert auth.describe() == words


# ---- NATS


def test_nats_servers_are_a_list_in_every_place() -> None:
    servers = ["nats://a:4222", "tls://b:4223"]
    assert load_config({"nats": "nats://a:4222, tls://b:4223"}, {}).nats == servers
    assert load_config({}, {"SWARMWIRE_NATS": ",".join(servers), "SWARMWIRE_NATS_SPACE": "left"}).nats == servers
    config = load_config({}, {}, written(f"nats = {servers}\nnats_replicas = 3"))
    assert (config.nats_servers, config.nats_space, config.nats_replicas) == (servers, "main", 3)


def test_a_server_without_a_scheme_or_a_port_is_a_usual_one() -> None:
    assert load_config({"nats": "example.org,[::1]:4333"}, {}).nats_servers == [
        "nats://example.org:4222",
        "nats://[::1]:4333",
    ]


def test_passwords_of_nats_servers_are_never_shown() -> None:
    flags: dict[str, object] = {"nats": f"nats://me:{SECRET}@a:4222,nats://{SECRET}@b"}
    config = load_config(flags, {})
    console = Console(file=io.StringIO())
    console.print(config)
    assert SECRET not in repr(config) + str(config) + console.file.getvalue()  # type: ignore[attr-defined]
    assert "nats://a:4222" in repr(config)
    assert config.nats_servers == ["nats://a:4222", "nats://b:4222"]
    for wrong in (f"http://me:{SECRET}@a", f"nats://me:{SECRET}@a:port", f"nats://me:{SECRET}@[a"):
        assert SECRET not in refused({"nats": wrong})
    assert SECRET not in refused(toml=f"nats = 'nats://me:{SECRET}@a'")
    assert SECRET not in refused(toml=f"nats = [['{SECRET}']]")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"nats": "http://a"}, "nats: a NATS server must be nats://host:port or tls://host:port, not http://"),
        ({"nats": "nats://a", "data": "x"}, "data and nats contradict each other"),
        (
            {"nats": "nats://a", "limits.log_rules": "a.#=events:5"},
            "limits.log_rules is for a log on disk, and this one is in NATS",
        ),
        ({"nats": "nats://a", "nats_cert": "c"}, "nats_cert and nats_key are two halves of one"),
        ({"nats": "nats://a", "nats_space": "a.b"}, "nats_space (command line): expected text like"),
        ({"nats": "nats://a", "nats_replicas": 0}, "nats_replicas (command line): expected a whole number from 1 to 5"),
        ({"nats_space": "left"}, "nats_space means nothing without nats"),
        ({"nats_replicas": 1}, "nats_replicas means nothing without nats"),
        ({"nats_wait_ms": 1}, "nats_wait_ms means nothing without nats"),
        ({"nats_credentials": "c"}, "nats_credentials means nothing without nats"),
        ({"nats_ca": "c"}, "nats_ca means nothing without nats"),
    ],
)
def test_settings_of_nats_that_contradict_others_are_refused(flags: dict[str, object], sentence: str) -> None:
    assert refused(flags).startswith(sentence)
