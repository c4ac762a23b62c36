"""Answers to what is no call: something that an upstream keeps, or the end of it."""

from gateway.errors import Refused
from gateway.secret import Secret
from providers.transport.engine import Response
from providers.transport.upstream_response import is_json_object, read_body

MAX_STORED_BYTES = 64 * 1024 * 1024


async def read_stored_response(
    name: str, response: Response, key: Secret | None, *, own: bool
) -> tuple[int, bytes]:
    """Status and JSON, without the key. Refused where it is no JSON, or our `own` key is wrong."""
    body = await read_body(response.body, MAX_STORED_BYTES)
    if not is_json_object(body) or (own and response.status in (401, 403)):
        raise Refused(
            f"the provider '{name}' answered {response.status} when asked for a response",
            status=502,
        )
    return response.status, body if key is None else body.replace(key.reveal().encode(), b"***")
