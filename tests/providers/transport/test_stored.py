"""What an upstream keeps: its answer, without the gateway's key."""

import pytest

from gateway.errors import Refused
from gateway.reply import BytesSource
from gateway.secret import Secret
from providers.transport.engine import Response
from providers.transport.stored import read_stored_response


def response(status: int, body: bytes) -> Response:
    return Response(status, [], BytesSource(body))


async def test_status_and_body_are_the_upstreams() -> None:
    assert await read_stored_response("p", response(404, b'{"error":{}}'), None, own=True) == (
        404,
        b'{"error":{}}',
    )


async def test_the_key_stays_here() -> None:
    found = await read_stored_response(
        "p", response(400, b'{"m":"sk-1 is odd"}'), Secret("sk-1"), own=True
    )
    assert found == (400, b'{"m":"*** is odd"}')


@pytest.mark.parametrize(
    ("status", "body", "own"), [(200, b"<html>", True), (401, b"{}", True), (403, b"{}", True)]
)
async def test_what_is_no_answer_is_502(status: int, body: bytes, own: bool) -> None:
    with pytest.raises(Refused) as caught:
        await read_stored_response("p", response(status, body), None, own=own)
    assert caught.value.status == 502


async def test_a_clients_own_key_may_be_refused() -> None:
    assert await read_stored_response("p", response(401, b"{}"), None, own=False) == (401, b"{}")
