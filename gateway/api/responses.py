"""`GET` and `DELETE /v1/responses/{id}`, and the items a response was made from.

A response that its upstream stores is fetched from there; the gateway remembers the target.
"""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from gateway.dialects.responses import RESPONSES
from gateway.edge.operation import ApiRequest, Handler, Operation, json_reply, versioned
from gateway.edge.pagination import DEFAULT_PAGE_SIZE, PageRequest, page_members
from gateway.errors import InvalidRequest, NotFound
from gateway.plugin import Runtime
from gateway.reply import Reply
from gateway.roles import ResponseStore

_MAX_PAGE_SIZE = 100
_FORWARDED_PARAMS = ("after", "include", "include[]", "limit", "order")
"""Query parameters that are forwarded to the upstream."""


class ResponsesApi:
    """The endpoints; without a link that stores responses, none is found."""

    def __init__(self, kept: ResponseStore | None, runtime: Runtime) -> None:
        self._store = kept
        self._runtime = runtime

    async def get_response(self, ask: ApiRequest) -> Reply:
        """A stored response."""
        if ask.parse_flag("stream"):
            raise InvalidRequest("stream: a response that is over is not streamed", param="stream")
        id = ask.path_params["id"]
        found = await self._store.find_response(ask.caller, id) if self._store is not None else None
        if found is not None:
            return Reply(200, RESPONSES, found)
        return await self._ask_upstream(ask, "GET")

    async def delete_response(self, ask: ApiRequest) -> Reply:
        """Deletes a stored response."""
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
        """The input items of a stored response, newest first by default."""
        id = ask.path_params["id"]
        found = await self._store.input_items(ask.caller, id) if self._store is not None else None
        if found is None:
            return await self._ask_upstream(ask, "GET", "/input_items")
        items = found if ask.parse_order() == "asc" else found[::-1]
        wanted = PageRequest.from_query(
            ask, _MAX_PAGE_SIZE, default=DEFAULT_PAGE_SIZE, after="after"
        )
        page, has_more = wanted.cut(items, lambda item: item.get("id"))
        members = page_members([item["id"] for item in page], has_more)
        return json_reply({"object": "list", "data": page} | members)

    async def _ask_upstream(self, ask: ApiRequest, method: str, rest: str = "") -> Reply:
        """The answer of the upstream that stores the response. Raises NotFound if none does."""
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


def _make_not_found(id: str) -> NotFound:
    return NotFound(f"Response with id '{id[:100]}' not found.", code="response_not_found")


def response_operations(links: Sequence[object], runtime: Runtime) -> list[Operation]:
    """The endpoints for stored responses."""
    store = next((link for link in links if isinstance(link, ResponseStore)), None)
    responses = ResponsesApi(store, runtime)

    def make_operation(path: str, method: str, handler: Handler) -> Operation:
        routes = versioned(path)
        return Operation(
            path=routes[0], routes=routes, method=method, handler=handler, dialect=RESPONSES
        )

    return [
        make_operation("/responses/{id}", "GET", responses.get_response),
        make_operation("/responses/{id}", "DELETE", responses.delete_response),
        make_operation("/responses/{id}/input_items", "GET", responses.list_items),
    ]
