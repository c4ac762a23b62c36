"""`GET /openapi.json` and `GET /docs`: the table of endpoints as OpenAPI 3.1 and as a page.

An endpoint with several paths is listed once. Bodies are objects of the APIs that they belong to,
whose own references describe them.
"""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from gateway.call import Headers
from gateway.dialects.messages import MESSAGES
from gateway.edge.callers import PLACES
from gateway.edge.operation import JSON, ApiRequest, Operation, json_reply
from gateway.reply import Reply
from gateway.version import version
from gateway.view import GatewayView

_PATH_PARAM = re.compile(r"\{(\w+)\}")
_HTML_HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc;vertical-align:top}code{font-size:.95em}"
)


class OpenApi:
    """The two endpoints; the document is made when it is first asked for."""

    def __init__(self, view: GatewayView) -> None:
        self._view = view
        self._cached_document: dict[str, Any] = {}

    async def get_document(self, ask: ApiRequest) -> Reply:
        """The endpoints of this gateway as OpenAPI 3.1."""
        return json_reply(self._load_document())

    async def get_page(self, ask: ApiRequest) -> Reply:
        """The endpoints of this gateway as an HTML page."""
        return Reply(200, MESSAGES, render_html(self._load_document()).encode(), _HTML_HEADERS)

    def _load_document(self) -> dict[str, Any]:
        if not self._cached_document:
            self._cached_document = build_document(
                self._view.operations, locked=len(self._view.callers) > 0
            )
        return self._cached_document


def build_document(operations: Iterable[Operation], *, locked: bool) -> dict[str, Any]:
    """The document; if not `locked`, no endpoint requires a key."""
    schemes: dict[str, Any] = {
        name.decode(): {"type": "apiKey", "in": "header", "name": name.decode()}
        for name in PLACES
        if name != b"authorization"
    }
    schemes["bearer"] = {"type": "http", "scheme": "bearer"}
    paths: dict[str, Any] = {}
    for operation in operations:
        item = paths.setdefault(operation.path, _build_parameters(operation.path))
        item[operation.method.lower()] = _build_operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "interlingua",
            "version": version(),
            "description": "Paths under /v1 answer without it, too, and those under /v1beta "
            "under /v1beta1.",
        },
        "paths": paths,
        "components": {"securitySchemes": schemes if locked else {}},
        "security": [{name: []} for name in schemes] if locked else [],
    }


def _build_parameters(path: str) -> dict[str, Any]:
    names = _PATH_PARAM.findall(path)
    text = {"required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": each, "in": "path", **text} for each in names]} if names else {}


def _build_operation(operation: Operation) -> dict[str, Any]:
    built: dict[str, Any] = {"summary": operation.summary}
    if operation.takes:
        built["requestBody"] = {"required": True, "content": {operation.takes: _OBJECT_SCHEMA}}
    built["responses"] = {
        "200": {
            "description": "The answer.",
            "content": {kind: _build_content(kind) for kind in operation.gives},
        },
        "default": {"description": "An error.", "content": {JSON: _OBJECT_SCHEMA}},
    }
    return built if operation.auth else built | {"security": []}


_OBJECT_SCHEMA = {"schema": {"type": "object"}}


def _build_content(kind: str) -> dict[str, Any]:
    return _OBJECT_SCHEMA if kind == JSON else {"schema": {"type": "string"}}


def render_html(document: Mapping[str, Any]) -> str:
    """The document as HTML that loads nothing."""
    rows = [
        _render_row(method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{escape(info['description'])} The same for programs: "
        '<a href="/openapi.json">/openapi.json</a>.</p>'
        "<table><tr><th>method</th><th>path</th><th>what it is</th><th>takes</th><th>gives</th>"
        f"</tr>{''.join(rows)}</table></body></html>"
    )


def _render_row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    taken = ", ".join(operation.get("requestBody", {}).get("content", {}))
    given = ", ".join(operation["responses"]["200"]["content"])
    cells = [f"<code>{escape(text)}</code>" for text in (method, path)]
    cells += [escape(text) for text in (operation["summary"], taken, given)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
