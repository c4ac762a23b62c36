"""`GET` and `DELETE /v1/responses/{id}`, and the items a response was made from.

A response that its upstream keeps itself is asked for there; the gateway knows where that was.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.routing import BaseRoute, Route

from gateway.dialects.responses import RESPONSES
from gateway.edge.callers import Callers
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.operation import ApiRequest, Handler, JsonEndpoint, json_reply
from gateway.errors import InvalidRequest, NotFound
from gateway.plugin import Runtime
from gateway.reply import Reply
from gateway.roles import ResponseStore

_MAX_PAGE_SIZE = 100
_FORWARDED_PARAMS = ("after", "include", "include[]", "limit", "order")
"""Parameters that go on to an upstream."""


class ResponsesApi:
    """The endpoints; without a link that keeps responses there is none to be found."""

    def __init__(self, kept: ResponseStore | None, runtime: Runtime) -> None:
        self._store = kept
        self._runtime = runtime

    async def get_response(self, ask: ApiRequest) -> Reply:
        """The response of that id."""
        if ask.parse_flag("stream"):
            raise InvalidRequest("stream: a response that is over is not streamed", param="stream")
        id = ask.path_params["id"]
        found = await self._store.find_response(ask.caller, id) if self._store is not None else None
        if found is not None:
            return Reply(200, RESPONSES, found)
        return await self._ask_upstream(ask, "GET")

    async def delete_response(self, ask: ApiRequest) -> Reply:
        """Forgets the response of that id."""
        id, kept = ask.path_params["id"], self._store
        if kept is not None and await kept.find_owner(ask.caller, id) is not None:
            reply = await self._ask_upstream(ask, "DELETE")
            if reply.status == 200:
                await kept.forget_response(ask.caller, id)
            return reply
        if kept is None or not await kept.forget_response(ask.caller, id):
            raise _make_not_found(id)
        return json_reply({"id": id, "object": "response", "deleted": True})

    async def list_items(self, ask: ApiRequest) -> Reply:
        """The items that the response was made from, a page of them, newest first unless asked."""
        id = ask.path_params["id"]
        found = await self._store.input_items(ask.caller, id) if self._store is not None else None
        if found is None:
            return await self._ask_upstream(ask, "GET", "/input_items")
        order = ask.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest(f"order: must be asc or desc, not {order[:20]!r}", param="order")
        if order == "desc":
            found = found[::-1]
        return json_reply(
            _build_page(
                found, ask.query.get("after"), ask.parse_number("limit", 1, _MAX_PAGE_SIZE) or 20
            )
        )

    async def _ask_upstream(self, ask: ApiRequest, method: str, rest: str = "") -> Reply:
        """What the upstream says that keeps the response. NotFound where none does."""
        id = ask.path_params["id"]
        target = await self._store.find_owner(ask.caller, id) if self._store is not None else None
        provider = self._runtime.providers.get((target or "").partition(":")[0])
        if provider is None:
            raise _make_not_found(id)
        query = urlencode(
            {name: ask.query[name] for name in _FORWARDED_PARAMS if name in ask.query}
        )
        path = f"{RESPONSES.path}/{quote(id, safe='')}{rest}" + (f"?{query}" if query else "")
        told = await provider.fetch_stored(method, path, ask.caller.credential)
        if told is None:
            raise _make_not_found(id)
        return Reply(told[0], RESPONSES, told[1])


def _build_page(items: list[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    start = 0
    if after is not None:
        places = [at for at, item in enumerate(items) if item.get("id") == after]
        if not places:
            raise InvalidRequest(f"after: there is no item {after[:100]!r}", param="after")
        start = places[0] + 1
    page = items[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }


def _make_not_found(id: str) -> NotFound:
    return NotFound(f"Response with id '{id[:100]}' not found.", code="response_not_found")


class _MethodEndpoint:
    """One path whose methods do different things."""

    def __init__(self, callers: Callers, **takes: Handler) -> None:
        methods = (*takes, "HEAD")
        self._endpoints = {
            method: JsonEndpoint(answers, callers, methods=methods, dialect=RESPONSES)
            for method, answers in takes.items()
        }
        self._default = self._endpoints["GET"]  # it also says which methods there are
        self.needs_key = True
        self.operations: Mapping[str, object] = takes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoints.get(scope["method"], self._default)(scope, receive, send)


def response_routes(links: Sequence[object], runtime: Runtime, callers: Callers) -> list[BaseRoute]:
    """The endpoints for the chain's responses, each with and without /v1."""
    kept = ResponsesApi(
        next((link for link in links if isinstance(link, ResponseStore)), None), runtime
    )
    one = _MethodEndpoint(callers, GET=kept.get_response, DELETE=kept.delete_response)
    items = JsonEndpoint(kept.list_items, callers, dialect=RESPONSES)
    routes: list[BaseRoute] = []
    for prefix in ("/v1", ""):
        routes.append(Route(f"{prefix}/responses/{{id}}", one))
        routes.append(Route(f"{prefix}/responses/{{id}}/input_items", items))
    return routes
