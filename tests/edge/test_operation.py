import pytest

from gateway.dialects.chat import CHAT
from gateway.edge.callers import Callers
from gateway.edge.operation import ApiRequest, JsonEndpoint, json_reply
from gateway.reply import Reply
from tests.fakes import calls
from tests.fakes.asgi import AsgiTestRequest


async def echo(ask: ApiRequest) -> Reply:
    return json_reply(
        {"query": dict(ask.query), "caller": ask.caller.name, "flag": ask.parse_flag("f")}
    )


async def boom(ask: ApiRequest) -> Reply:
    raise RuntimeError("secret")


async def through(door: JsonEndpoint, query: bytes = b"", **more: object) -> AsgiTestRequest:
    driven = AsgiTestRequest(door, method="GET", path="/x", **more)  # type: ignore[arg-type]
    driven.scope["query_string"] = query
    return await driven.start().wait_done()


async def test_the_endpoint_sees_the_caller_and_the_query() -> None:
    door = JsonEndpoint(echo, Callers([calls.make_key("k", "ci")]))
    sent = await through(door, b"a=1&b=%C3%A9&c&f=on", headers=[(b"x-api-key", b"k")])
    assert sent.json() == {
        "query": {"a": "1", "b": "é", "c": "", "f": "on"}, "caller": "ci", "flag": True,
    }  # fmt: skip


@pytest.mark.parametrize("query", [b"&".join(b"a%d=1" % n for n in range(200)), b"f=perhaps"])
async def test_a_query_that_cannot_be_is_400(query: bytes) -> None:
    assert (await through(JsonEndpoint(echo, None), query)).status == 400


async def test_an_unexpected_fault_is_a_500_without_its_words() -> None:
    sent = await through(JsonEndpoint(boom, None))
    assert sent.status == 500
    assert b"secret" not in sent.body


async def test_errors_have_the_form_of_the_client() -> None:
    door = JsonEndpoint(echo, Callers([calls.make_key("k")]), dialect=CHAT)
    assert "type" not in (await through(door)).json()
    version = (b"anthropic-version", b"2023-06-01")
    assert (await through(door, headers=[version])).json()["type"] == "error"
    own = JsonEndpoint(echo, Callers([calls.make_key("k")]))
    sent = await through(own, headers=[(b"x-request-id", b"mine")])
    assert sent.json()["type"] == "error"
    assert sent.json()["request_id"] == sent.headers["x-request-id"] == "mine"
