"""Clients of Google's APIs: a key in the query, and how they are told from other clients."""

from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp

from gateway.call import Headers
from gateway.edge.client import Receive, Scope, Send

_KEY_HEADER = b"x-goog-api-key"
_GOOGLE_HEADERS = frozenset({_KEY_HEADER, b"x-goog-api-client"})
_KEY_PARAMS = frozenset({"key", "$key"})


class QueryKeyToHeader:
    """Takes a key out of the query, where Google's API reads one, and shows it as a header.

    From here on nothing that is logged, told or sent on can have it in an address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query: bytes = scope.get("query_string", b"")
        if b"key=" in query:
            scope = {**scope, **_move_key(scope["headers"], query)}
        await self.inner(scope, receive, send)


def _move_key(headers: Headers, query: bytes) -> dict[str, object]:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    rest = [pair for pair in pairs if pair[0] not in _KEY_PARAMS]
    given = next((value for name, value in pairs if name in _KEY_PARAMS and value), "")
    shown = list(headers)
    # What no header line could hold must not get into one this way.
    sane = given.isascii() and given.isprintable() and " " not in given
    if given and sane and not any(name == _KEY_HEADER for name, _ in headers):
        shown.append((_KEY_HEADER, given.encode()))
    return {"headers": shown, "query_string": urlencode(rest).encode()}


class GoogleClientSwitch:
    """One path of two APIs: clients that show Google's headers get to `googles`."""

    def __init__(self, googles: ASGIApp, others: ASGIApp) -> None:
        self._google_app = googles
        self.inner = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_googles = any(name in _GOOGLE_HEADERS for name, _ in scope["headers"])
        await (self._google_app if is_googles else self.inner)(scope, receive, send)
