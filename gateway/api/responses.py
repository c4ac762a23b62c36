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
from gateway.edge.operation import Answers, Ask, Door, say
from gateway.errors import InvalidRequest, NotFound
from gateway.plugin import Site
from gateway.reply import Reply
from gateway.roles import Remembers

_MOST = 100
_PASSED = ("after", "include", "include[]", "limit", "order")
"""Parameters that go on to an upstream."""


class Responses:
    """The endpoints; without a link that keeps responses there is none to be found."""

    def __init__(self, kept: Remembers | None, site: Site) -> None:
        self._kept = kept
        self._site = site

    async def one(self, ask: Ask) -> Reply:
        """The response of that id."""
        if ask.flag("stream"):
            raise InvalidRequest("stream: a response that is over is not streamed", param="stream")
        id = ask.parts["id"]
        found = await self._kept.find(ask.caller, id) if self._kept is not None else None
        if found is not None:
            return Reply(200, RESPONSES, found)
        return await self._upstream(ask, "GET")

    async def remove(self, ask: Ask) -> Reply:
        """Forgets the response of that id."""
        id, kept = ask.parts["id"], self._kept
        if kept is not None and await kept.keeper(ask.caller, id) is not None:
            reply = await self._upstream(ask, "DELETE")
            if reply.status == 200:
                await kept.forget(ask.caller, id)
            return reply
        if kept is None or not await kept.forget(ask.caller, id):
            raise _unknown(id)
        return say({"id": id, "object": "response", "deleted": True})

    async def items(self, ask: Ask) -> Reply:
        """The items that the response was made from, a page of them, newest first unless asked."""
        id = ask.parts["id"]
        found = await self._kept.items(ask.caller, id) if self._kept is not None else None
        if found is None:
            return await self._upstream(ask, "GET", "/input_items")
        order = ask.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest(f"order: must be asc or desc, not {order[:20]!r}", param="order")
        if order == "desc":
            found = found[::-1]
        return say(_page(found, ask.query.get("after"), ask.number("limit", 1, _MOST) or 20))

    async def _upstream(self, ask: Ask, method: str, rest: str = "") -> Reply:
        """What the upstream says that keeps the response. NotFound where none does."""
        id = ask.parts["id"]
        target = await self._kept.keeper(ask.caller, id) if self._kept is not None else None
        provider = self._site.providers.get((target or "").partition(":")[0])
        if provider is None:
            raise _unknown(id)
        query = urlencode({name: ask.query[name] for name in _PASSED if name in ask.query})
        path = f"{RESPONSES.path}/{quote(id, safe='')}{rest}" + (f"?{query}" if query else "")
        told = await provider.kept(method, path, ask.caller.credential)
        if told is None:
            raise _unknown(id)
        return Reply(told[0], RESPONSES, told[1])


def _page(items: list[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
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


def _unknown(id: str) -> NotFound:
    return NotFound(f"Response with id '{id[:100]}' not found.", code="response_not_found")


class _ByMethod:
    """One path whose methods do different things."""

    def __init__(self, callers: Callers, **takes: Answers) -> None:
        methods = (*takes, "HEAD")
        self._doors = {
            method: Door(answers, callers, methods=methods, dialect=RESPONSES)
            for method, answers in takes.items()
        }
        self._other = self._doors["GET"]  # it also says which methods there are
        self.locked = True
        self.operations: Mapping[str, object] = takes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._doors.get(scope["method"], self._other)(scope, receive, send)


def response_routes(links: Sequence[object], site: Site, callers: Callers) -> list[BaseRoute]:
    """The endpoints for the chain's responses, each with and without /v1."""
    kept = Responses(next((link for link in links if isinstance(link, Remembers)), None), site)
    one = _ByMethod(callers, GET=kept.one, DELETE=kept.remove)
    items = Door(kept.items, callers, dialect=RESPONSES)
    routes: list[BaseRoute] = []
    for prefix in ("/v1", ""):
        routes.append(Route(f"{prefix}/responses/{{id}}", one))
        routes.append(Route(f"{prefix}/responses/{{id}}/input_items", items))
    return routes
