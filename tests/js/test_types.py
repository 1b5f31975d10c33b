"""The types of the JavaScript SDK: checked in its sources, and good for who uses it from TypeScript."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

CONSUMER = """
import {
  connect, Client, Disconnected, Event, Gap, Live, QueueFull, Subscription, SwarmwireError, matches,
  AgentChannel, SwarmChannel, TaskChannel,
} from "swarmwire";

export async function main(token: () => Promise<string>): Promise<number | null> {
  const client: Client = await connect("wss://broker.example.org/ws", { token, name: "consumer" });
  const events: Subscription = client.subscribe("agent.*.status", { from: "latest" });
  await events.ready;
  for await (const event of events) {
    const seq: number | null = event.seq;
    if (matches("agent.#", event.topic)) return seq;
  }
  const answer = await client.publish("agent.a1.status", { status: "busy" }, { key: "k" });
  await client.disconnect();
  return answer === null ? null : (answer.seq ?? null);
}

export function told(error: unknown): string {
  if (error instanceof QueueFull || error instanceof Disconnected) return error.code;
  return error instanceof SwarmwireError ? `${error.code} ${error.field ?? ""}` : "unknown";
}

export const channels = [AgentChannel, SwarmChannel, TaskChannel];
export const shown = (item: Event | Gap | Live): string | null => item.cursor;
"""

WRONG = """
import { connect } from "swarmwire";
connect("ws://127.0.0.1:8765/ws", { nobodyKnowsThis: true });
"""


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def consumer(node: str, sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strict project in TypeScript that has the SDK installed, with the types that its package has."""
    project = tmp_path_factory.mktemp("consumer")
    package = project / "node_modules" / "swarmwire"
    package.mkdir(parents=True)
    (package / "package.json").write_bytes((sdk / "package.json").read_bytes())
    (package / "src").symlink_to(sdk / "src")
    emitted = run("npm", "run", "--silent", "types", "--", "--outDir", str(package / "types"), cwd=sdk)
    assert emitted.returncode == 0, emitted.stdout + emitted.stderr
    options = {"strict": True, "noEmit": True, "module": "nodenext", "target": "es2023", "types": []}
    libraries = ["es2023", "dom", "dom.iterable", "dom.asynciterable", "esnext.disposable"]
    (project / "package.json").write_text('{"type": "module"}')
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**options, "lib": libraries}}))
    return project


def test_the_sources_of_the_sdk_are_checked(node: str, sdk: Path) -> None:
    checked = run("npm", "run", "--silent", "check", cwd=sdk)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_package_has_the_types_that_it_names(consumer: Path) -> None:
    package = consumer / "node_modules" / "swarmwire"
    exports = json.loads((package / "package.json").read_text())["exports"]

    assert {name: (package / entry["types"]).exists() for name, entry in exports.items()} == dict.fromkeys(
        exports, True
    )


def test_a_strict_program_in_typescript_compiles(consumer: Path, sdk: Path) -> None:
    (consumer / "main.ts").write_text(CONSUMER)

    compiled = run(str(sdk / "node_modules" / ".bin" / "tsc"), "--project", ".", cwd=consumer)

    assert compiled.returncode == 0, compiled.stdout


def test_a_program_with_an_option_that_there_is_not_does_not_compile(consumer: Path, sdk: Path) -> None:
    (consumer / "main.ts").write_text(WRONG)

    compiled = run(str(sdk / "node_modules" / ".bin" / "tsc"), "--project", ".", cwd=consumer)

    assert compiled.returncode != 0
    assert "nobodyKnowsThis" in compiled.stdout
