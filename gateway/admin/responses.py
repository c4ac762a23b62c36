"""`GET` and `DELETE /v1/responses/{id}`, and the items a response was made from."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from starlette.routing import BaseRoute, Route

from gateway.admin.door import Ask, Door, say
from gateway.call import Caller
from gateway.callers import Callers
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest, NotFound
from gateway.reply import Reply

_MOST = 100


@runtime_checkable
class Remembers(Protocol):
    """A link of the chain that keeps responses."""

    async def find(self, caller: Caller, id: str) -> bytes | None:
        """The response of that caller. Raises Unavailable."""

    async def items(self, caller: Caller, id: str) -> list[dict[str, Any]] | None:
        """The items that it was made from, oldest first. Raises Unavailable."""

    async def forget(self, caller: Caller, id: str) -> bool:
        """Whether it was there to be forgotten. Raises Unavailable."""


class Responses:
    """The endpoints; without a link that keeps responses there is none to be found."""

    def __init__(self, kept: Remembers | None) -> None:
        self._kept = kept

    async def one(self, ask: Ask) -> Reply:
        """The response, or its end."""
        if ask.method == "DELETE":
            return await self._delete(ask)
        if ask.flag("stream"):
            raise InvalidRequest("stream: a response that is over is not streamed", param="stream")
        id = ask.parts["id"]
        found = await self._kept.find(ask.caller, id) if self._kept is not None else None
        if found is None:
            raise _unknown(id)
        return Reply(200, RESPONSES, found)

    async def _delete(self, ask: Ask) -> Reply:
        id = ask.parts["id"]
        if self._kept is None or not await self._kept.forget(ask.caller, id):
            raise _unknown(id)
        return say({"id": id, "object": "response", "deleted": True})

    async def items(self, ask: Ask) -> Reply:
        """A page of the items, newest first unless asked otherwise."""
        id = ask.parts["id"]
        found = await self._kept.items(ask.caller, id) if self._kept is not None else None
        if found is None:
            raise _unknown(id)
        order = ask.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise InvalidRequest(f"order: must be asc or desc, not {order[:20]!r}", param="order")
        if order == "desc":
            found = found[::-1]
        return say(_page(found, ask.query.get("after"), ask.number("limit", 1, _MOST) or 20))


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


def response_routes(links: Sequence[object], callers: Callers) -> list[BaseRoute]:
    """The endpoints for the chain's responses, each with and without /v1."""
    kept = Responses(next((link for link in links if isinstance(link, Remembers)), None))
    one = Door(kept.one, callers, methods=("GET", "HEAD", "DELETE"), dialect=RESPONSES)
    items = Door(kept.items, callers, dialect=RESPONSES)
    routes: list[BaseRoute] = []
    for prefix in ("/v1", ""):
        routes.append(Route(f"{prefix}/responses/{{id}}", one))
        routes.append(Route(f"{prefix}/responses/{{id}}/input_items", items))
    return routes
