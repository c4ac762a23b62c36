"""The answer to paths that do not exist."""

from time import monotonic

import msgspec

from gateway.call import Record
from gateway.edge.client import Receive, Scope, Send
from gateway.edge.exchange import refused_method
from gateway.edge.headers import error_headers, request_id
from gateway.errors import GatewayError, NotFound, UpgradeRefused


class UnknownPathApp:
    """Every path that is no route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """404 in the form that fits the path, naming what there is."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        ident, record = request_id(scope["headers"]), Record(monotonic())
        unknown: GatewayError = NotFound(
            f"there is no {scope['path'][:200]} here; known: POST /v1/chat/completions, "
            "POST /v1/messages, POST /v1/responses; GET / lists the rest"
        )
        refused = refused_method(scope["method"], scope["headers"])
        if isinstance(refused, UpgradeRefused):
            unknown = refused
        # One body that both families of clients can read.
        error = {"type": unknown.kind, "message": unknown.message, "param": None}
        error["code"] = "not_found" if unknown.status == 404 else None
        body = msgspec.json.encode({"type": "error", "error": error, "request_id": ident})
        head = error_headers(ident, record, unknown, len(body))
        await send({"type": "http.response.start", "status": unknown.status, "headers": head})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})
