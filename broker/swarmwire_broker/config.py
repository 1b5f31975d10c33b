"""The configuration of a broker: one record, made of flags, the environment, a TOML file and defaults.

    config = load_config({"port": 0, "limits.max_connections": "none"})

None means no limit; 0 means zero. `docs/configuration.md` explains every setting.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.places import check_name

from .core.settings import Limits, Rates
from .credentials import SECRETS, Auth, Problem, pattern_problems, raise_first
from .natslink.addresses import read_address
from .sources import ConfigError, Given, Setting, build, check, flatten, nearest, parse, settings_of

__all__ = [
    "Auth",
    "Config",
    "ConfigError",
    "LogFormat",
    "LogLevel",
    "load_config",
    "setting_names",
]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "text", "json"]

_DEFAULT_FILE = Path("swarmwire.toml")
_OTHER_VARIABLES = {
    "SWARMWIRE_CONFIG",
    "SWARMWIRE_KEYS",
    "SWARMWIRE_LOCK_DIR",
    "SWARMWIRE_LOCK_NAME",
    "SWARMWIRE_LOCK_TOKEN",
    "SWARMWIRE_PURE",
    "SWARMWIRE_RUNTIME_DIR",
    "SWARMWIRE_TOKEN",
    "SWARMWIRE_TOKEN_FILE",
    "SWARMWIRE_URL",
}  # of the command line, the SDK and the imports, not of the broker


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a broker is told before it starts.

    Raises ConfigError when two settings contradict each other.
    """

    host: str = "127.0.0.1"
    """The address to listen at."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8765
    """The port to listen at; 0 takes a free one, which can be read back."""
    path: Annotated[str, Meta(pattern="^/")] = "/ws"
    """The path of the WebSocket."""
    unix: str = "auto"
    """The path of the Unix socket; `auto`: the place where clients look for a broker of this name; `off`."""
    unix_uids: list[Annotated[int, Meta(ge=0)]] = []
    """Users who may connect to it beside the broker's own and root."""
    unix_gids: list[Annotated[int, Meta(ge=0)]] = []
    """Groups whose members may connect to it."""
    unix_executables: list[str] = []
    """The only programs that may connect to it, by their absolute paths; empty: any."""
    pipe: str = "off"
    """The name of the named pipe; `auto`: the broker's own; `off`."""
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")] = "swarmwire"
    """The broker's name, as the welcome tells it."""
    data: Annotated[str, Meta(min_length=1)] | None = None
    """The directory that the log is kept in; without it the log is in memory and ends with the process."""
    sync: Literal["full", "normal"] = "full"
    """What an acknowledged event in `data` survives: `full`: the loss of power; `normal`: the end of the process."""
    nats: list[str] = []
    """NATS servers that keep the log for many brokers: `nats://host:port` or `tls://host:port`."""
    nats_space: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")] = "main"
    """Which log of these servers: brokers of one space are one cluster."""
    nats_replicas: Annotated[int, Meta(ge=1, le=5)] | None = None
    """How many of the servers keep it; None: three where they are a cluster, else one."""
    nats_wait_ms: Annotated[int, Meta(ge=0)] = 15_000
    """How long a broker that starts waits for the servers."""
    nats_credentials: str | None = None
    """A file that the servers let this broker in with: `.creds`, or the seed of an nkey."""
    nats_ca: str | None = None
    """A file with the authorities whose certificates the servers may have."""
    nats_cert: str | None = None
    """A file with the certificate of this broker, for servers that ask for one."""
    nats_key: str | None = None
    """A file with the key of that certificate."""
    insecure: bool = False
    """Listen to other machines although no authentication is configured."""
    log_level: LogLevel = "info"
    """The least level that is logged."""
    log_format: LogFormat = "auto"
    """`text` for people, `json` for machines; `auto` is text on a terminal."""
    metrics: bool = True
    """Whether /metrics is served."""
    dashboard: bool = True
    """Whether the dashboard is served at /, and the JavaScript SDK below /sdk/."""
    allowed_origins: list[str] = []
    """Origins of web pages that may connect beside the broker's own: `https://app.example.org`; `*` is any."""
    allowed_hosts: list[str] = []
    """Names the broker may be addressed by; empty: loopback names on loopback, any name elsewhere."""
    auth: Auth = Auth()
    limits: Limits = Limits()
    rates: Rates = Rates()

    def __post_init__(self) -> None:
        raise_first(_problems(self))

    @property
    def nats_servers(self) -> list[str]:
        """The addresses of the NATS servers, without what logs in there."""
        return [str(read_address(url)) for url in self.nats]

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = {"nats": self.nats_servers}
        return [(name, shown.get(name, getattr(self, name))) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def _problems(config: Config) -> Iterator[Problem]:
    mine, most = config.limits.queue_size, config.limits.max_queue_size
    if mine > most:
        names = ("limits.queue_size", "limits.max_queue_size")
        yield f"limits.queue_size ({mine}) is over limits.max_queue_size ({most})", names
    yield from _name_problems(config)
    yield from _unix_problems(config)
    yield from pattern_problems(config.rates.topics, "rates.topics")
    yield from pattern_problems(config.limits.log_rules, "limits.log_rules")
    if config.limits.log_rules and config.data is None and not config.nats:
        yield "limits.log_rules is for a log on disk: set data to a directory", ("limits.log_rules", "data")
    yield from _nats_problems(config)


def _nats_problems(config: Config) -> Iterator[Problem]:
    for url in config.nats:
        try:
            read_address(url)
        except ValueError as error:  # it does not show what it is about
            yield f"nats: {error}", ("nats",)
    if not config.nats:
        for name in _OF_NATS:
            if getattr(config, name) != _NATS_DEFAULTS[name]:
                yield f"{name} means nothing without nats", (name,)
        return
    if config.data is not None:
        yield "data and nats contradict each other: the log is in a directory or in NATS", ("data", "nats")
    if config.limits.log_rules:
        yield "limits.log_rules is for a log on disk, and this one is in NATS", ("limits.log_rules", "nats")
    if (config.nats_cert is None) != (config.nats_key is None):
        yield "nats_cert and nats_key are two halves of one: give both", ("nats_cert", "nats_key")


def _name_problems(config: Config) -> Iterator[Problem]:
    for setting in ("name", "pipe"):
        try:
            check_name(getattr(config, setting))
        except SwarmwireError as error:
            yield f"{setting}: {error.message}", (setting,)


def _unix_problems(config: Config) -> Iterator[Problem]:
    if config.unix not in ("auto", "off") and "/" not in config.unix:
        yield f"unix: expected auto, off or a path with a '/' in it, got {config.unix!r}", ("unix",)
    for setting in ("unix_uids", "unix_gids", "unix_executables"):
        if getattr(config, setting) and config.unix == "off":
            yield f"{setting} means nothing while unix is off", (setting, "unix")
    for setting in ("unix_uids", "unix_gids"):
        if getattr(config, setting) and config.unix == "auto":
            yield f"{setting} lets other users in: set unix to a path that they can reach", (setting, "unix")
    for program in config.unix_executables:
        if not program.startswith("/"):
            yield f"unix_executables: expected absolute paths, got {program!r}", ("unix_executables",)


# ---- Loading

_OF_NATS = ("nats_space", "nats_replicas", "nats_wait_ms", "nats_credentials", "nats_ca", "nats_cert", "nats_key")
_SECRETS = SECRETS | {"nats"}  # passwords may stand in addresses
_SETTINGS: dict[str, Setting] = {setting.name: setting for setting in settings_of(Config, _SECRETS)}
_NATS_DEFAULTS = {name: _SETTINGS[name].default for name in _OF_NATS}
_VARIABLES: dict[str, Setting] = {setting.env: setting for setting in _SETTINGS.values()}


def setting_names() -> list[str]:
    """The dotted name of every setting."""
    return list(_SETTINGS)


def load_config(
    flags: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Config:
    """The configuration: `flags` win over SWARMWIRE_* variables, these over the TOML file, this over defaults.

    Flags are named as settings are (`limits.max_connections`); text is parsed, other values are checked. The file
    is `file`, else the one that SWARMWIRE_CONFIG names, else ./swarmwire.toml if there is one. `env` is os.environ
    by default. Raises ConfigError with one sentence that names the setting and where it came from.
    """
    env = os.environ if env is None else env
    given = {**_from_file(file, env), **_from_env(env), **_from_flags(flags or {})}
    values = {name: _value(_SETTINGS[name], entry) for name, entry in given.items()}
    try:
        return build(Config, values)
    except ConfigError as error:
        origins = [f"{name}: {given[name].source}" for name in error.settings if name in given]
        raise ConfigError(f"{error} ({'; '.join(origins)})" if origins else str(error), *error.settings) from None


def _value(setting: Setting, given: Given) -> Any:
    if given.is_text and isinstance(given.value, str):
        return parse(setting, given.value, given.source)
    return check(setting, given.value, given.source)


def _from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    for name in flags:
        if name not in _SETTINGS:
            raise ConfigError(f"{name} (command line) is not a setting{nearest(name, _SETTINGS)}", name)
    return {name: Given(value, "command line", True) for name, value in flags.items()}


def _from_env(env: Mapping[str, str]) -> dict[str, Given]:
    found = {}
    for variable, text in env.items():
        if not variable.startswith("SWARMWIRE_") or variable in _OTHER_VARIABLES:
            continue
        if (setting := _VARIABLES.get(variable)) is None:
            raise ConfigError(f"{variable} (environment) is not a setting{nearest(variable, _VARIABLES)}", variable)
        found[setting.name] = Given(text, f"environment {variable}", True)
    return found


def _from_file(file: Path | None, env: Mapping[str, str]) -> dict[str, Given]:
    named = file if file is not None else Path(env["SWARMWIRE_CONFIG"]) if env.get("SWARMWIRE_CONFIG") else None
    if named is None and not _DEFAULT_FILE.is_file():
        return {}
    path = named or _DEFAULT_FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from None
    return flatten(table, _SETTINGS, f"file {path}")
