"""The description of the endpoints, for programs and for readers."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from starlette.routing import Route

from gateway.admin.openapi import build_document, render_html
from gateway.edge.callers import Callers
from gateway.edge.operation import ApiRequest, JsonEndpoint, json_reply
from gateway.reply import Reply
from tests.admin.house import AdminGateway, house

BATCHES = '[batch]\nengine = "embedded"\nfolder = "{}"\n[[middleware]]\nuse = "auth"\n'
LINKS = ("batch", "alias", "cache", "fallback", "convert")
METHODS = {"get", "post", "delete"}


async def document(opened: AdminGateway) -> Any:
    answer = await opened.get("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


def whole(folder: Path) -> str:
    """A configuration with every endpoint there is."""
    links = "".join(f'[[middleware]]\nuse = "{name}"\n' for name in LINKS)
    return BATCHES.format(folder) + links


async def test_every_route_is_in_it_once(tmp_path: Path) -> None:
    async with house(tmp_path, more=whole(tmp_path)) as opened:
        found = await document(opened)
        routes = [route for route in opened.app.routes if isinstance(route, Route)]
    paths = found["paths"]
    gemini = {path for path in paths if path.startswith("/v1beta/models/{model}:")}
    assert len(gemini) == 3
    known = {re.sub(r":\w+}", "}", route.path) for route in routes}
    assert paths.keys() - gemini <= known
    for path in known - paths.keys():
        under = re.match(r"(/v1|/v1beta|/v1beta1)?/(models|tunedModels|publishers|projects)", path)
        twins = {f"/v1{path}", path.replace("/explain/", "/explain/v1/", 1)}
        assert under or twins & paths.keys(), path
    templates = [re.sub(r"{\w+}", "{}", path) for path in paths]
    assert len(set(templates)) == len(templates)
    assert {"/v1/chat/completions", "/v1/messages", "/explain", "/explain/v1/messages", "/docs",
            "/v1/batches/{id}/cancel", "/v1/messages/cache/clear"} <= paths.keys()  # fmt: skip


async def test_it_is_openapi(tmp_path: Path) -> None:
    async with house(tmp_path, more=whole(tmp_path)) as opened:
        found = await document(opened)
    assert found["openapi"].startswith("3.1")
    assert found["info"].keys() >= {"title", "version"}
    schemes = found["components"]["securitySchemes"]
    assert [name for each in found["security"] for name in each] == list(schemes)
    for path, item in found["paths"].items():
        places = [each["name"] for each in item.pop("parameters", [])]
        assert places == re.findall(r"\{(\w+)\}", path)
        assert item
        assert item.keys() <= METHODS, path
        for operation in item.values():
            assert re.fullmatch(r"\S.*\S", operation["summary"]), path
            assert {"200", "default"} == operation["responses"].keys()
            assert all(response["description"] for response in operation["responses"].values())
            body = operation.get("requestBody", {"content": {"application/json": {}}})
            assert len(body["content"]) == 1


async def test_methods_and_content_types(tmp_path: Path) -> None:
    async with house(tmp_path, more=whole(tmp_path)) as opened:
        paths = (await document(opened))["paths"]

    def given(path: str, method: str = "get") -> list[str]:
        return list(paths[path][method]["responses"]["200"]["content"])

    assert given("/v1/chat/completions", "post") == ["application/json", "text/event-stream"]
    assert given("/v1/messages/count_tokens", "post") == ["application/json"]
    assert given("/explain/v1/messages", "post") == ["application/json"]
    assert given("/v1/models") == given("/v1beta/models/{id}") == ["application/json"]
    assert given("/health") == ["application/json", "application/yaml"]
    assert given("/metrics") == ["text/plain", "application/openmetrics-text"]
    assert given("/docs") == ["text/html"]
    assert paths["/v1/files"].keys() == {"get", "post"}
    assert list(paths["/v1/files"]["post"]["requestBody"]["content"]) == ["multipart/form-data"]
    assert paths["/v1/messages/cache/clear"].keys() == {"delete", "post"}
    assert "requestBody" not in paths["/v1/messages/cache/clear"]["post"]
    assert paths["/livez"]["get"]["security"] == []
    assert "security" not in paths["/health/detailed"]["get"]


class Page(HTMLParser):
    """What a page loads, and what its cells say."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.cells: list[str] = []
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._cell = tag == "td" or (self._cell and tag == "code")
        if tag != "a":
            self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data")]
        self.loads += [tag] if tag in ("script", "link", "iframe", "img", "object") else []
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.cells[-1] += data


def read(text: str) -> Page:
    made = Page()
    made.feed(text)
    return made


async def test_the_page_lists_the_same_and_loads_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, more=whole(tmp_path)) as opened:
        found = await document(opened)
        answer = await opened.get("/docs")
        root = (await opened.get("/", [])).json()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    made = read(answer.body.decode())
    assert made.loads == []
    rows = [tuple(made.cells[at : at + 3]) for at in range(0, len(made.cells), 5)]
    assert rows == [
        (method.upper(), path, operation["summary"])
        for path, item in found["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    assert root["documentation"] == "/docs"
    assert root["endpoints"]["openapi"] == "/openapi.json"


async def test_both_ask_for_the_key(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        for path in ("/docs", "/openapi.json"):
            assert (await opened.get(path, [])).status == 401


async def answers(ask: ApiRequest) -> Reply:
    """<script>alert("x")</script> & more."""
    return json_reply({})


def test_what_functions_say_of_themselves_is_no_markup() -> None:
    found = build_document([Route("/<b>", JsonEndpoint(answers, None))], locked=False)
    assert found["security"] == []
    made = read(render_html(found))
    assert made.loads == []
    assert made.cells[1:3] == ["/<b>", '<script>alert("x")</script> & more.']


def test_where_no_key_is_asked_for_none_is_described() -> None:
    found = build_document([Route("/x", JsonEndpoint(answers, Callers([])))], locked=False)
    assert found["components"]["securitySchemes"] == {}
