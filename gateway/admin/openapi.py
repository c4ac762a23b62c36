"""`GET /openapi.json` and `GET /docs`: what the routes are, read from the routes themselves.

A path that is there under several prefixes is told once. Bodies are objects of the APIs that they
belong to, whose own references describe them.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from inspect import getdoc
from typing import Any, Protocol, runtime_checkable

from starlette.routing import Route

from gateway.api.gemini import GeminiEndpoint
from gateway.api.query_key import GoogleClientSwitch, QueryKeyToHeader
from gateway.call import Headers
from gateway.dialects.messages import MESSAGES
from gateway.edge.callers import PLACES
from gateway.edge.operation import ApiRequest, json_reply
from gateway.reply import Reply
from gateway.version import version
from gateway.view import GatewayView

_JSON = "application/json"
_EVENTS = "text/event-stream"
_YAML = "application/yaml"
_CALL_SUMMARIES = {
    "/v1/chat/completions": "A Chat Completions call, to any provider.",
    "/v1/messages": "A Messages call, to any provider.",
    "/v1/messages/stream": "A Messages call whose answer is a stream.",
    "/v1/messages/count_tokens": "The tokens of a Messages call, which is not made.",
    "/v1/messages/batch": "Many Messages calls in one request.",
    "/v1/responses": "A Responses call, to any provider.",
    "/v1/responses/input_tokens": "The tokens of a Responses call, which is not made.",
    "/v1/completions": "A text completion, to any provider.",
    "/v1/embeddings": "Embeddings of texts.",
    "/explain": "Where a model leads, asking nobody.",
}
"""What is said of endpoints that take calls; of the others, their functions tell."""
_RESPONSE_TYPES: dict[str, tuple[str, ...]] = {
    "/docs": ("text/html",),
    "/health": (_JSON, _YAML),
    "/metrics": ("text/plain", "application/openmetrics-text"),
    "/metrics/active-requests/stream": (_EVENTS,),
    "/metrics/running-totals": (_JSON, _YAML),
    "/v1/embeddings": (_JSON,),
    "/v1/files/{id}/content": ("application/octet-stream",),
    "/v1/messages/batches/{id}/results": ("application/x-jsonl",),
    "/v1/messages/count_tokens": (_JSON,),
    "/v1/responses/input_tokens": (_JSON,),
}
"""Content types of answers that are not plain JSON."""
_REQUEST_TYPES = {
    "/v1/batches": _JSON,
    "/v1/files": "multipart/form-data",
    "/v1/messages/batches": _JSON,
}
"""Content types of bodies, of endpoints that do not take calls."""
_PATH_PARAM = re.compile(r"\{(\w+)(:\w+)?\}")
_HTML_HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc;vertical-align:top}code{font-size:.95em}"
)


@runtime_checkable
class Documented(Protocol):
    """An endpoint that tells what it answers."""

    needs_key: bool
    """Whether it asks for a key."""

    @property
    def operations(self) -> Mapping[str, object]:
        """The function behind each method."""


class OpenApi:
    """The two endpoints; the document is made when it is first asked for."""

    def __init__(self, view: GatewayView) -> None:
        self._view = view
        self._cached_document: dict[str, Any] = {}

    async def get_document(self, ask: ApiRequest) -> Reply:
        """The description of this gateway's endpoints, as OpenAPI 3.1."""
        return json_reply(self._load_document())

    async def get_page(self, ask: ApiRequest) -> Reply:
        """The same as a page to read."""
        return Reply(200, MESSAGES, render_html(self._load_document()).encode(), _HTML_HEADERS)

    def _load_document(self) -> dict[str, Any]:
        if not self._cached_document:
            self._cached_document = build_document(
                self._view.routes, locked=len(self._view.callers) > 0
            )
        return self._cached_document


def build_document(routes: Sequence[Route], *, locked: bool) -> dict[str, Any]:
    """The document; where not `locked`, no endpoint asks for a key."""
    known = {route.path for route in routes}
    told = [route for route in routes if not _is_duplicate(route, known)]
    gemini = (
        _GEMINI_PATHS
        if any(isinstance(_unwrap_app(each), GeminiEndpoint) for each in routes)
        else {}
    )
    schemes: dict[str, Any] = {
        name.decode(): {"type": "apiKey", "in": "header", "name": name.decode()}
        for name in PLACES
        if name != b"authorization"
    }
    schemes["bearer"] = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "interlingua",
            "version": version(),
            "description": "Paths under /v1 answer without it, too, and those under /v1beta "
            "under /v1beta1.",
        },
        "paths": gemini
        | {_PATH_PARAM.sub(r"{\1}", route.path): _build_path_item(route) for route in told},
        "components": {"securitySchemes": schemes if locked else {}},
        "security": [{name: []} for name in schemes] if locked else [],
    }


def _is_duplicate(route: Route, known: set[str]) -> bool:
    """Whether it is told of under another path."""
    path, app = route.path, _unwrap_app(route)
    if isinstance(app, GeminiEndpoint) or path.startswith("/v1beta1/"):
        return True
    return f"/v1{path}" in known or path.replace("/explain/", "/explain/v1/", 1) in known - {path}


def _unwrap_app(route: Route) -> object:
    """The endpoint behind what only looks at a request before it."""
    app: object = route.app
    while isinstance(app, QueryKeyToHeader | GoogleClientSwitch):
        app = app.inner
    return app


def _build_path_item(route: Route) -> dict[str, Any]:
    item = _build_parameters(route.path)
    app = _unwrap_app(route)
    if not isinstance(app, Documented):
        return item | {"post": _build_call_operation(route)}
    for method, function in app.operations.items():
        taken = _REQUEST_TYPES.get(route.path) if method == "POST" else None
        operation = _build_operation(
            getdoc(function) or "", taken, _get_response_types(route.path, method)
        )
        item[method.lower()] = operation | ({} if app.needs_key else {"security": []})
    return item


def _build_parameters(path: str) -> dict[str, Any]:
    names = [name for name, _ in _PATH_PARAM.findall(path)]
    text = {"required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": each, "in": "path", **text} for each in names]} if names else {}


def _build_call_operation(route: Route) -> dict[str, Any]:
    """An endpoint that takes calls: of them, the answer may be a stream."""
    path = route.path
    summary = _CALL_SUMMARIES.get(path) or getdoc(_unwrap_app(route)) or ""
    if path.startswith("/explain/"):
        explained = _PATH_PARAM.sub(r"{\1}", path.removeprefix("/explain"))
        return _build_operation(
            f"What a call to {explained} would become, asking nobody.", _JSON, (_JSON,)
        )
    given = (_JSON,) if path == "/explain" else _RESPONSE_TYPES.get(path, (_JSON, _EVENTS))
    return _build_operation(summary, _JSON, given)


def _get_response_types(path: str, method: str) -> tuple[str, ...]:
    return _RESPONSE_TYPES.get(path, (_JSON,)) if method == "GET" else (_JSON,)


def _build_operation(summary: str, taken: str | None, given: tuple[str, ...]) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": summary.partition("\n")[0]}
    if taken is not None:
        operation["requestBody"] = {"required": True, "content": {taken: _OBJECT_SCHEMA}}
    operation["responses"] = {
        "200": {
            "description": "The answer.",
            "content": {kind: _build_content(kind) for kind in given},
        },
        "default": {"description": "An error.", "content": {_JSON: _OBJECT_SCHEMA}},
    }
    return operation


_OBJECT_SCHEMA = {"schema": {"type": "object"}}


def _build_content(kind: str) -> dict[str, Any]:
    return _OBJECT_SCHEMA if kind == _JSON else {"schema": {"type": "string"}}


_GEMINI_PATHS = {
    path: _build_parameters(path) | {"post": _build_operation(summary, _JSON, given)}
    for path, summary, given in (
        ("/v1beta/models/{model}:generateContent", "A Gemini call, to any provider.", (_JSON,)),
        (
            "/v1beta/models/{model}:streamGenerateContent",
            "A Gemini call whose answer is a stream.",
            (_EVENTS, _JSON),
        ),
        (
            "/v1beta/models/{model}:countTokens",
            "The tokens of a Gemini call, which is not made.",
            (_JSON,),
        ),
    )
}
"""One endpoint has them all: what is to be done stands at the end of the path."""


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
