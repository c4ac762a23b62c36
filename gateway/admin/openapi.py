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
from gateway.api.query_key import KeyInQuery, Shared
from gateway.call import Headers
from gateway.dialects.messages import MESSAGES
from gateway.edge.callers import PLACES
from gateway.edge.operation import Ask, say
from gateway.inside import Inside
from gateway.reply import Reply
from gateway.version import version

_JSON = "application/json"
_EVENTS = "text/event-stream"
_YAML = "application/yaml"
_CALLS = {
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
_GIVEN: dict[str, tuple[str, ...]] = {
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
_TAKEN = {
    "/v1/batches": _JSON,
    "/v1/files": "multipart/form-data",
    "/v1/messages/batches": _JSON,
}
"""Content types of bodies, of endpoints that do not take calls."""
_PLACE = re.compile(r"\{(\w+)(:\w+)?\}")
_HTML: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc;vertical-align:top}code{font-size:.95em}"
)


@runtime_checkable
class Telling(Protocol):
    """An endpoint that tells what it answers."""

    locked: bool
    """Whether it asks for a key."""

    @property
    def operations(self) -> Mapping[str, object]:
        """The function behind each method."""


class OpenApi:
    """The two endpoints; the document is made when it is first asked for."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._made: dict[str, Any] = {}

    async def document(self, ask: Ask) -> Reply:
        """The description of this gateway's endpoints, as OpenAPI 3.1."""
        return say(self._document())

    async def page(self, ask: Ask) -> Reply:
        """The same as a page to read."""
        return Reply(200, MESSAGES, page(self._document()).encode(), _HTML)

    def _document(self) -> dict[str, Any]:
        if not self._made:
            self._made = described(self._inside.routes, locked=len(self._inside.callers) > 0)
        return self._made


def described(routes: Sequence[Route], *, locked: bool) -> dict[str, Any]:
    """The document; where not `locked`, no endpoint asks for a key."""
    known = {route.path for route in routes}
    told = [route for route in routes if not _twin(route, known)]
    gemini = _GEMINI if any(isinstance(_inner(each), GeminiEndpoint) for each in routes) else {}
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
        "paths": gemini | {_PLACE.sub(r"{\1}", route.path): _item(route) for route in told},
        "components": {"securitySchemes": schemes if locked else {}},
        "security": [{name: []} for name in schemes] if locked else [],
    }


def _twin(route: Route, known: set[str]) -> bool:
    """Whether it is told of under another path."""
    path, app = route.path, _inner(route)
    if isinstance(app, GeminiEndpoint) or path.startswith("/v1beta1/"):
        return True
    return f"/v1{path}" in known or path.replace("/explain/", "/explain/v1/", 1) in known - {path}


def _inner(route: Route) -> object:
    """The endpoint behind what only looks at a request before it."""
    app: object = route.app
    while isinstance(app, KeyInQuery | Shared):
        app = app.inner
    return app


def _item(route: Route) -> dict[str, Any]:
    item = _places(route.path)
    app = _inner(route)
    if not isinstance(app, Telling):
        return item | {"post": _call(route)}
    for method, function in app.operations.items():
        taken = _TAKEN.get(route.path) if method == "POST" else None
        operation = _operation(getdoc(function) or "", taken, _given(route.path, method))
        item[method.lower()] = operation | ({} if app.locked else {"security": []})
    return item


def _places(path: str) -> dict[str, Any]:
    names = [name for name, _ in _PLACE.findall(path)]
    text = {"required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": each, "in": "path", **text} for each in names]} if names else {}


def _call(route: Route) -> dict[str, Any]:
    """An endpoint that takes calls: of them, the answer may be a stream."""
    path = route.path
    summary = _CALLS.get(path) or getdoc(_inner(route)) or ""
    if path.startswith("/explain/"):
        explained = _PLACE.sub(r"{\1}", path.removeprefix("/explain"))
        return _operation(
            f"What a call to {explained} would become, asking nobody.", _JSON, (_JSON,)
        )
    given = (_JSON,) if path == "/explain" else _GIVEN.get(path, (_JSON, _EVENTS))
    return _operation(summary, _JSON, given)


def _given(path: str, method: str) -> tuple[str, ...]:
    return _GIVEN.get(path, (_JSON,)) if method == "GET" else (_JSON,)


def _operation(summary: str, taken: str | None, given: tuple[str, ...]) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": summary.partition("\n")[0]}
    if taken is not None:
        operation["requestBody"] = {"required": True, "content": {taken: _OBJECT}}
    operation["responses"] = {
        "200": {"description": "The answer.", "content": {kind: _body(kind) for kind in given}},
        "default": {"description": "An error.", "content": {_JSON: _OBJECT}},
    }
    return operation


_OBJECT = {"schema": {"type": "object"}}


def _body(kind: str) -> dict[str, Any]:
    return _OBJECT if kind == _JSON else {"schema": {"type": "string"}}


_GEMINI = {
    path: _places(path) | {"post": _operation(summary, _JSON, given)}
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


def page(document: Mapping[str, Any]) -> str:
    """The document as HTML that loads nothing."""
    rows = [
        _row(method.upper(), path, operation)
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


def _row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    taken = ", ".join(operation.get("requestBody", {}).get("content", {}))
    given = ", ".join(operation["responses"]["200"]["content"])
    cells = [f"<code>{escape(text)}</code>" for text in (method, path)]
    cells += [escape(text) for text in (operation["summary"], taken, given)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
