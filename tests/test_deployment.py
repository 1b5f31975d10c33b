"""The image and the compose project, as far as they can be judged without Docker; `make test-docker` does the rest."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmwire_broker.config import Config, load_config

ROOT = Path(__file__).parent.parent
BASE = "python:3.11-slim"

# What docker-compose 1.29 and Docker Compose v2 read alike.
_TOP = {"services", "secrets", "networks", "volumes"}
_SERVICE = {
    *("build", "image", "init", "read_only", "tmpfs", "cap_drop", "security_opt", "secrets", "ports", "environment"),
    *("mem_limit", "pids_limit", "healthcheck", "stop_grace_period", "restart", "depends_on", "entrypoint", "command"),
    *("volumes", "networks"),
}  # fmt: skip


# ---- The Dockerfile


def dockerfile() -> list[tuple[str, str]]:
    """The instructions with their arguments, continued lines joined."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    instructions = [line for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in instructions)]


def final_stage() -> dict[str, str]:
    """The last argument of each instruction of the stage that is shipped."""
    instructions = dockerfile()
    start = max(index for index, (word, _) in enumerate(instructions) if word == "FROM")
    return dict(instructions[start:])


def copied() -> list[str]:
    """The files and folders of the project that go into the build."""
    arguments = [rest.split() for word, rest in dockerfile() if word == "COPY" and "--from" not in rest]
    return [source for *sources, _ in arguments for source in sources]


def test_every_stage_starts_from_the_one_base_image() -> None:
    stages = [rest.split()[0] for word, rest in dockerfile() if word == "FROM"]
    assert stages == [BASE, BASE]


@pytest.mark.parametrize("construct", [r"^# *syntax *=", r"<<", r"--mount", r"--chmod", r"--link"])
def test_the_dockerfile_needs_no_buildkit(construct: str) -> None:
    assert not re.search(construct, (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_shipped_stage_runs_as_a_numbered_user_that_is_not_root() -> None:
    user, _, group = final_stage()["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_shipped_stage_takes_only_the_environment_from_the_first() -> None:
    assert final_stage()["COPY"] == "--from=build /opt/venv /opt/venv"
    assert "install" not in final_stage()["RUN"]


def test_the_image_serves_on_all_its_interfaces_at_the_port_it_exposes() -> None:
    stage = final_stage()
    assert (json.loads(stage["ENTRYPOINT"]), json.loads(stage["CMD"])) == (["swarmwire"], ["serve"])
    variables = dict(entry.split("=", 1) for entry in stage["ENV"].split())
    config = load_config(env={name: text for name, text in variables.items() if name.startswith("SWARMWIRE_")})
    assert (config.host, str(config.port)) == ("0.0.0.0", stage["EXPOSE"])


def test_every_package_of_the_distribution_is_copied_into_the_build() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = {package.split("/")[0] for package in wheel["packages"]}
    files = {"pyproject.toml", project["project"]["readme"], wheel["hooks"]["custom"]["path"]}
    assert folders | files == set(copied())


def test_only_what_is_copied_leaves_the_ignore_file() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied())


# ---- The health check


class _Answer(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(params=[200, 503])
def health(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A server whose /healthz answers with a status: the status and the port."""
    answer = type("Answer", (_Answer,), {"status": request.param})
    with HTTPServer(("127.0.0.1", 0), answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield request.param, server.server_port
        server.shutdown()
        thread.join()


def probe(port: int) -> int:
    """The exit code of the image's health check, behind a proxy setting it must not heed."""
    _, _, command = final_stage()["HEALTHCHECK"].partition("CMD ")
    python, *arguments = json.loads(command)
    assert python == "python"
    environment = {**os.environ, "SWARMWIRE_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True).returncode


def test_the_health_check_says_what_healthz_says(health: tuple[int, int]) -> None:
    status, port = health
    assert (probe(port) == 0) == (status == 200)


def test_the_health_check_fails_where_nothing_listens() -> None:
    assert probe(1) != 0


# ---- The compose project


def read_project(name: str) -> dict[str, Any]:
    """A compose file with every variable at its default."""
    text = (ROOT / name).read_text()
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return loaded


SINGLE = "docker-compose.yml"
CLUSTER = "docker-compose.cluster.yml"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return read_project(SINGLE)


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return read_project(CLUSTER)


@pytest.fixture(scope="module")
def broker(project: dict[str, Any]) -> dict[str, Any]:
    service: dict[str, Any] = project["services"]["broker"]
    return service


@pytest.fixture(scope="module")
def config(broker: dict[str, Any]) -> Config:
    """What the broker of the project is told: the service's environment beside the image's."""
    return load_config({"host": "0.0.0.0"}, {name: str(value) for name, value in broker["environment"].items()})


def size(text: str) -> int:
    return int(text[:-1]) * {"m": 1 << 20, "g": 1 << 30}[text[-1]]


@pytest.mark.parametrize("name", [SINGLE, CLUSTER])
def test_the_compose_file_keeps_to_what_both_composes_read(name: str) -> None:
    project = read_project(name)
    assert {key for key in project if not key.startswith("x-")} <= _TOP
    for service in project["services"].values():
        assert set(service) <= _SERVICE


_SERVICES = [(name, service) for name in (SINGLE, CLUSTER) for service in read_project(name)["services"]]


@pytest.mark.parametrize(("name", "service"), _SERVICES)
def test_every_service_is_locked_down(name: str, service: str) -> None:
    facts = read_project(name)["services"][service]
    assert facts["read_only"] is True
    assert facts["cap_drop"] == ["ALL"]
    assert facts["security_opt"] == ["no-new-privileges:true"]
    assert size(facts["mem_limit"]) > 0
    assert facts["pids_limit"] > 0


def test_the_broker_is_published_to_this_machine_only(broker: dict[str, Any]) -> None:
    assert broker["ports"] == ["127.0.0.1:8765:8765"]


def test_the_broker_demands_the_token_of_the_secret(broker: dict[str, Any], config: Config) -> None:
    assert config.auth.token_file == f"/run/secrets/{broker['secrets'][0]}"
    assert config.auth.configured


def test_what_the_limits_let_the_broker_hold_fits_its_memory(broker: dict[str, Any], config: Config) -> None:
    limits = config.limits
    assert limits.log_bytes is not None
    assert limits.outbox_total_bytes is not None
    held = limits.log_bytes + limits.latest_bytes + limits.outbox_total_bytes
    assert held < size(broker["mem_limit"]) / 2


def test_the_grace_period_leaves_time_to_drain(broker: dict[str, Any], config: Config) -> None:
    drain = (config.limits.drain_timeout_ms + config.limits.close_timeout_ms) / 1000
    assert float(broker["stop_grace_period"].removesuffix("s")) > drain


def test_the_swarm_waits_for_a_healthy_broker_and_runs_once(project: dict[str, Any]) -> None:
    swarm = project["services"]["swarm"]
    assert swarm["depends_on"] == {"broker": {"condition": "service_healthy"}}
    assert swarm["restart"] == "no"
    assert swarm["healthcheck"] == {"disable": True}


def test_what_the_swarm_mounts_is_in_the_project_and_read_only(project: dict[str, Any]) -> None:
    for volume in project["services"]["swarm"]["volumes"]:
        source, _, mode = volume.split(":")
        assert (ROOT / source).is_dir()
        assert mode == "ro"


def test_the_token_is_ignored_by_git_and_by_the_builder(project: dict[str, Any]) -> None:
    folder = Path(project["secrets"]["token"]["file"]).parent.name
    assert f"{folder}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert folder not in copied()


def test_the_page_on_deployment_makes_the_token_as_the_compose_file_says() -> None:
    header = (ROOT / "docker-compose.yml").read_text()
    command = next(line for line in header.splitlines() if fnmatch.fnmatch(line, "#*openssl*"))
    assert command.lstrip("# ") in (ROOT / "docs" / "deployment.md").read_text()


# ---- The project of many brokers


@pytest.fixture(scope="module", params=["broker-1", "broker-2"])
def member(request: pytest.FixtureRequest, cluster: dict[str, Any]) -> dict[str, Any]:
    """One of its brokers."""
    service: dict[str, Any] = cluster["services"][request.param]
    return service


def names_of(cluster: dict[str, Any], kind: str) -> set[str]:
    return {name for name in cluster["services"] if name.startswith(f"{kind}-")}


def test_only_the_proxy_is_published_and_to_this_machine_only(cluster: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in cluster["services"].items() if "ports" in service}
    assert published == {"proxy": ["127.0.0.1:8765:8765"]}


def test_clients_and_the_proxy_do_not_reach_nats(cluster: dict[str, Any]) -> None:
    assert cluster["networks"]["log"] == {"internal": True}
    members = {name for name, service in cluster["services"].items() if "log" in service["networks"]}
    assert members == names_of(cluster, "nats") | names_of(cluster, "broker")
    assert all(cluster["services"][name]["networks"] == ["log"] for name in names_of(cluster, "nats"))


def test_every_broker_knows_every_nats_node_and_keeps_each_event_on_all(
    cluster: dict[str, Any], member: dict[str, Any]
) -> None:
    nodes = names_of(cluster, "nats")
    addresses = member["environment"]["SWARMWIRE_NATS"].split(",")
    assert {address.removeprefix("nats://").removesuffix(":4222") for address in addresses} == nodes
    assert member["environment"]["SWARMWIRE_NATS_REPLICAS"] == len(nodes)


def test_a_broker_of_the_cluster_demands_the_token_and_fits_its_memory(member: dict[str, Any]) -> None:
    config = load_config({"host": "0.0.0.0"}, {name: str(value) for name, value in member["environment"].items()})
    assert config.auth.token_file == "/run/secrets/token"
    limits = config.limits
    assert limits.outbox_total_bytes is not None
    assert limits.window_bytes + limits.write_queue_bytes + limits.outbox_total_bytes < size(member["mem_limit"]) / 2
    drain = (limits.drain_timeout_ms + limits.close_timeout_ms) / 1000
    assert float(member["stop_grace_period"].removesuffix("s")) > drain


def test_one_message_of_the_cluster_fits_what_nats_takes(member: dict[str, Any]) -> None:
    """NATS takes 1 MiB by default; an event is more than its data by its topic and its headers."""
    assert member["environment"]["SWARMWIRE_LIMITS_MAX_MESSAGE_BYTES"] <= (1 << 20) / 2


def test_every_nats_node_has_a_disk_of_its_own_and_knows_the_others(cluster: dict[str, Any]) -> None:
    nodes = names_of(cluster, "nats")
    conf = (ROOT / "deploy" / "nats.conf").read_text()
    assert set(re.findall(r"nats://(\S+):6222", conf)) == nodes
    for name in nodes:
        service = cluster["services"][name]
        assert service["command"][:2] == ["--name", name]
        assert f"{name}:/data" in service["volumes"]
    assert set(cluster["volumes"]) == nodes


def test_the_proxy_sends_clients_to_every_broker_that_is_ready(cluster: dict[str, Any]) -> None:
    rules = (ROOT / "deploy" / "haproxy.cfg").read_text()
    assert set(re.findall(r"^ +server (\S+) \1:8765$", rules, re.MULTILINE)) == names_of(cluster, "broker")
    assert "uri /readyz" in rules


def test_the_proxy_outlives_two_heartbeats_of_an_idle_connection() -> None:
    tunnel = re.search(r"timeout tunnel (\d+)s", (ROOT / "deploy" / "haproxy.cfg").read_text())
    assert tunnel is not None
    assert int(tunnel[1]) * 1000 > 2 * Config().limits.heartbeat_ms


def test_what_the_cluster_mounts_is_in_the_project_and_read_only(cluster: dict[str, Any]) -> None:
    for service in cluster["services"].values():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (ROOT / source).exists()
                assert rest.endswith(":ro")


def test_the_swarm_of_the_cluster_speaks_to_the_proxy(cluster: dict[str, Any]) -> None:
    assert cluster["services"]["swarm"]["environment"]["SWARMWIRE_URL"] == "ws://proxy:8765/ws"


# ---- The script of `make test-docker`


def scripts() -> list[Path]:
    return sorted((ROOT / "tests" / "docker").iterdir())


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_the_script_can_be_parsed(script: Path) -> None:
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_can_be_called() -> None:
    assert os.access(ROOT / "tests" / "docker" / "run", os.X_OK)


@pytest.mark.parametrize("name", ["Dockerfile", SINGLE, CLUSTER, *(f"tests/docker/{s.name}" for s in scripts())])
def test_no_registry_is_named(name: str) -> None:
    addresses = re.findall(r"\w+://([^/'\"\s:%]+)", (ROOT / name).read_text())
    assert set(addresses) <= {"127.0.0.1", "broker", "proxy", "nats-1", "nats-2", "nats-3", "$WORK"}
