"""Signs of life, and the answer to paths that do not exist."""

import msgspec

from gateway.asgi import Edge, Receive, Scope, Send
from gateway.call import Headers
from gateway.headers import request_id

_JSON: Headers = [(b"content-type", b"application/json")]


class Probe:
    """`/`, `/api/hello` and `/livez`: the process is alive. `/readyz`: it takes new calls."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200, or 503 from `/readyz` while draining; 405 for anything but GET and HEAD."""
        if scope["method"] not in ("GET", "HEAD"):
            await _send(scope, send, 405, {"error": "use GET"}, [(b"allow", b"GET, HEAD")])
        elif scope["path"] == "/readyz" and self._edge.draining:
            await _send(scope, send, 503, {"status": "draining"}, [])
        else:
            await _send(scope, send, 200, {"name": "interlingua", "status": "ok"}, [])


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
            "known: POST /v1/chat/completions, POST /v1/messages"
        )
        error: dict[str, object] = {"type": "not_found_error", "message": message}
        body: dict[str, object] = {"type": "error", "error": error, "request_id": ident}
        # One body that both families of clients can read.
        error["param"] = None
        error["code"] = "not_found"
        await _send(scope, send, 404, body, [(b"x-request-id", ident.encode())])


async def _send(
    scope: Scope, send: Send, status: int, body: dict[str, object], headers: Headers
) -> None:
    data = msgspec.json.encode(body)
    head = [*_JSON, (b"content-length", b"%d" % len(data)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    data = b"" if scope["method"] == "HEAD" else data
    await send({"type": "http.response.body", "body": data, "more_body": False})
