"""Files for browsers: what is served where, with which headers, and to whose pages."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from swarmwire_broker import Config, Server, create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.web.assets import POLICY, directory

PROJECT = Path(__file__).parents[3]


@pytest.fixture(name="http")
async def _http() -> AsyncGenerator[httpx.AsyncClient]:
    async with (
        Server(Config(port=0, unix="off")) as server,
        httpx.AsyncClient(base_url=server.urls[-1], trust_env=False) as client,
    ):
        yield client


async def test_the_page_comes_with_a_strict_policy_and_is_asked_for_again_each_time(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-cache"
    again = await http.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == POLICY


async def test_the_page_names_only_files_that_are_there_and_nothing_inline(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert named
    for path in named:
        assert not path.startswith(("/", "http")), "a page that is mounted below a path has its files there too"
        assert (await http.get(f"/{path}")).status_code == 200
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/sdk/swarmwire.js", "text/javascript; charset=utf-8"),
        ("/dashboard/main.js", "text/javascript; charset=utf-8"),
        ("/dashboard/style/base.css", "text/css; charset=utf-8"),
        ("/dashboard/icon.svg", "image/svg+xml"),
    ],
)
async def test_a_file_has_the_type_that_browsers_ask_for_whatever_the_system_says(
    http: httpx.AsyncClient, path: str, kind: str
) -> None:
    found = await http.get(path)
    assert (found.status_code, found.headers["content-type"]) == (200, kind)
    assert (await http.head(path)).headers["content-length"] == str(len(found.content))


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/tsconfig.json",
        "/sdk/none.js",
        "/sdk/",
        "/dashboard/style/",
        "/dashboard/%2e%2e/swarmwire_broker/server.py",
        "/dashboard/..%2f..%2fpyproject.toml",
        "/sdk/%00.js",
        f"/sdk/{'x' * 5000}.js",
    ],
)
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_files_are_read_and_not_written(http: httpx.AsyncClient) -> None:
    assert (await http.post("/sdk/swarmwire.js", content=b"x")).status_code == 405


async def test_who_types_dashboard_gets_there(http: httpx.AsyncClient) -> None:
    for path in ("/dashboard", "/dashboard/"):
        found = await http.get(path, follow_redirects=True)
        assert (found.status_code, found.url.path) == (200, "/")


async def test_pages_of_this_machine_may_import_the_sdk_and_foreign_ones_may_not(http: httpx.AsyncClient) -> None:
    mine = await http.get("/sdk/swarmwire.js", headers={"origin": "http://localhost:3000"})
    assert mine.headers["access-control-allow-origin"] == "http://localhost:3000"
    foreign = await http.get("/sdk/swarmwire.js", headers={"origin": "https://evil.example"})
    assert (foreign.status_code, "access-control-allow-origin" in foreign.headers) == (403, False)
    assert (await http.get("/", headers={"host": "evil.example"})).status_code == 403


async def test_a_broker_may_do_without_them() -> None:
    async with (
        Server(Config(port=0, unix="off", dashboard=False)) as server,
        httpx.AsyncClient(base_url=server.urls[-1], trust_env=False) as http,
    ):
        assert [(await http.get(path)).status_code for path in ("/", "/dashboard/main.js", "/sdk/swarmwire.js")] == [
            404
        ] * 3


async def test_they_are_served_below_the_path_that_the_broker_is_mounted_at() -> None:
    broker = Broker()
    app = Starlette(routes=[Mount("/swarm", create_app(broker))])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        page = await http.get("/swarm/")
        assert page.status_code == 200
        for path in re.findall(r'(?:src|href)="([^"#]+)"', page.text):
            assert (await http.get(f"/swarm/{path}")).status_code == 200
        moved = await http.get("/swarm/dashboard", follow_redirects=True)
        assert (moved.status_code, moved.url.path) == (200, "/swarm/")
    await broker.stop()


def test_the_files_of_a_checkout_are_those_that_a_wheel_gets() -> None:
    assert directory("dashboard") == PROJECT / "broker" / "dashboard"
    assert directory("sdk") == PROJECT / "client" / "js" / "src"
