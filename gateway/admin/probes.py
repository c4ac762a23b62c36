"""The answer to paths that do not exist."""

import msgspec

from gateway.asgi import Receive, Scope, Send
from gateway.call import Headers
from gateway.headers import COMPATIBILITY, request_id

_JSON: Headers = [(b"content-type", b"application/json")]


class Unrouted:
    """Every path that is no route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """404 in the form that fits the path, naming what there is."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        ident = request_id(scope["headers"])
        message = (
            f"there is no {scope['path'][:200]} here; "
            "known: POST /v1/chat/completions, POST /v1/messages; GET / lists the rest"
        )
        error: dict[str, object] = {"type": "not_found_error", "message": message}
        body: dict[str, object] = {"type": "error", "error": error, "request_id": ident}
        # One body that both families of clients can read.
        error["param"] = None
        error["code"] = "not_found"
        await _send(scope, send, 404, body, [(b"x-request-id", ident.encode()), *COMPATIBILITY])


async def _send(
    scope: Scope, send: Send, status: int, body: dict[str, object], headers: Headers
) -> None:
    data = msgspec.json.encode(body)
    head = [*_JSON, (b"content-length", b"%d" % len(data)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    data = b"" if scope["method"] == "HEAD" else data
    await send({"type": "http.response.body", "body": data, "more_body": False})
