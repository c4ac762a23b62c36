"""What is tried again, counted where it arrives: at the upstream."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from tests.fakes import responses
from tests.fakes.running import free_port
from tests.fakes.steps import (
    SSE,
    Chunk,
    Close,
    Head,
    Json,
    ReceivedRequest,
    Reset,
    Script,
    ScriptExchange,
    Stall,
    Step,
)
from tests.faults.scene import PROVIDERS, FaultGateway, scene
from tests.faults.wires import (
    ALL,
    BOTH,
    TEXT,
    Answer,
    Dialect,
    ask,
    delta,
    encode,
    event,
    fault,
    fault_event,
    opening,
    piece,
    stream,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO = "sk-one-aaaaaaaaaaaaaaaa", "sk-two-bbbbbbbbbbbbbbbb"
GATEWAY_KEY = "gw-client-key-cccccccc"
LANES = [(client, upstream) for client in BOTH for upstream in BOTH]
OPTIONS = f"""
[timeouts]
first_byte = 0.5
idle = 0.5
[auth]
keys = ["{GATEWAY_KEY}"]
[aliases]
both = ["chat:first", "messages:second"]
"""
KEYED = """
[providers.{name}]
use = "compatible"
base_url = "{{url}}/v1"
api_key = ["{one}", "{two}"]
"""
KEYS = [f"keyed{place}" for place in range(10)]
"""Providers with two keys each; a test takes one, for the keys' rest outlives it."""
OTHERS = f"""
[providers.pass]
use = "compatible"
base_url = "{{url}}/v1"
api_key = "!PASSTHRU"

[providers.claude]
use = "anthropic"
base_url = "{{url}}/v1"
api_key = "!PASSTHRU"

[providers.leakychat]
use = "compatible"
base_url = "{{url}}/v1"
api_key = "sk-upstream-of-chat-1234"

[providers.leakymessages]
use = "compatible"
base_url = "{{url}}/v1"
speaks = ["messages"]
auth = "x-api-key"
api_key = "sk-upstream-of-messages-1234"

[providers.geminis]
use = "gemini"
base_url = "{{url}}/v1beta"
api_key = ["{ONE}", "{TWO}"]

[providers.nobody]
use = "compatible"
base_url = "http://127.0.0.1:{free_port()}/v1"
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    keyed = "".join(KEYED.format(name=name, one=ONE, two=TWO).replace("{{", "{").replace("}}", "}")
                    for name in KEYS)  # fmt: skip
    async with scene(
        tmp_path_factory.mktemp("retries"), OPTIONS, fallback="attempts = 3\nwait = 0.02",
        providers=PROVIDERS + keyed + OTHERS,
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def keyed(running: FaultGateway) -> str:
    """A provider whose keys nobody has used."""
    running.made += 1
    return KEYS.pop()


async def call(
    running: FaultGateway, model: str, client: Dialect = "chat", *headers: tuple[str, str],
    stream: bool = False,
) -> Answer:  # fmt: skip
    return await ask(
        running.gateway.port, client, model, ("x-gateway-key", GATEWAY_KEY), *headers, stream=stream
    )


def turns(*scripts: Script) -> Script:
    """Each request of the model takes the next script, the last one repeats."""
    left = list(scripts)

    async def next_one(exchange: ScriptExchange) -> None:
        await exchange.run_script(left.pop(0) if len(left) > 1 else left[0])

    return next_one


def bearer(request: ReceivedRequest) -> str:
    """The key of a request."""
    return (request.get_header(b"authorization") or b"").decode().removeprefix("Bearer ")


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
@pytest.mark.parametrize("end", [Reset(), Close(), Stall()], ids=["reset", "close", "stall"])
async def test_nothing_is_tried_again_after_the_first_event(
    running: FaultGateway, lane: tuple[Dialect, Dialect], end: Step
) -> None:
    client, upstream = lane
    head = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    begun = [*map(Chunk, [*opening(upstream), delta(upstream, "one")])]
    model = running.play(turns([head, *begun, end], SSE(stream(upstream))))
    answer = await call(running, f"{upstream}:{model}", client, stream=True)
    assert len(running.asked(model)) == 1
    assert (answer.status, answer.text, answer.ended, len(answer.errors)) == (200, "one", False, 1)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
async def test_a_passing_fault_is_tried_again(
    running: FaultGateway, lane: tuple[Dialect, Dialect], status: int, streamed: bool
) -> None:
    client, upstream = lane
    good: Script = SSE(stream(upstream)) if streamed else Json(whole(upstream))
    model = running.play(turns(Json({"error": {"message": "passing"}}, status), good))
    answer = await call(running, f"{upstream}:{model}", client, stream=streamed)
    assert (answer.status, answer.text) == (200, TEXT)
    assert len(running.asked(model)) == 2


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_what_would_fail_again_is_asked_once(
    running: FaultGateway, lane: tuple[Dialect, Dialect], status: int
) -> None:
    client, upstream = lane
    model = running.play(Json({"error": {"message": "wrong", "type": "invalid"}}, status))
    answer = await call(running, f"{upstream}:{model}", client)
    assert len(running.asked(model)) == 1
    told = 400 if (client, status) == ("messages", 422) and upstream == "chat" else status
    assert answer.status == told
    assert [error["message"] for error in answer.errors] == ["wrong"]


@pytest.mark.parametrize("bad", [Close(), Reset()], ids=["close", "reset"])
async def test_a_hang_up_before_an_answer_is_tried_again(
    running: FaultGateway, bad: Script
) -> None:
    model = running.play(turns(bad, bad, Json(whole("chat"))))
    answer = await call(running, f"chat:{model}")
    assert (answer.status, answer.text, len(running.asked(model))) == (200, TEXT, 3)


@pytest.mark.parametrize(
    "bad",
    [
        SSE([fault_event("messages").replace(b"rate_limit_error", b"overloaded_error")]),
        SSE([]),
    ],
    ids=["overloaded", "empty"],
)
async def test_an_error_as_the_first_event_is_tried_again(
    running: FaultGateway, bad: Script
) -> None:
    model = running.play(turns(bad, SSE(stream("messages"))))
    answer = await call(running, f"messages:{model}", "messages", stream=True)
    assert (answer.status, answer.text, len(running.asked(model))) == (200, TEXT, 2)


def failing(code: str = "server_is_overloaded") -> list[bytes]:
    """A Responses stream that fails right after its beginning."""
    made = responses.ResponsesScript().add_start()
    return made.add_end("failed", error={"code": code, "message": "Overloaded"}).frames


@pytest.mark.parametrize("client", ALL)
async def test_an_error_right_after_a_beginning_is_tried_again(
    running: FaultGateway, client: Dialect
) -> None:
    model = running.play(turns(SSE(failing()), SSE(stream("responses"))))
    answer = await call(running, f"responses:{model}", client, stream=True)
    assert (answer.status, answer.text, len(running.asked(model))) == (200, TEXT, 2)
    assert answer.ended


@pytest.mark.parametrize(("client", "status"), [("chat", 503), ("messages", 529)])
async def test_an_error_right_after_a_beginning_is_a_status(
    running: FaultGateway, client: Dialect, status: int
) -> None:
    model = running.play(SSE(failing()))
    answer = await call(running, f"responses:{model}", client, stream=True)
    assert (answer.status, answer.streamed, len(running.asked(model))) == (status, False, 3)
    assert answer.errors[0]["message"] == "Overloaded"


@pytest.mark.parametrize(
    ("code", "times"),
    [("server_is_overloaded", 3), ("context_length_exceeded", 1)],
)
async def test_a_responses_client_hears_it_as_the_upstream_told_it(
    running: FaultGateway, code: str, times: int
) -> None:
    """Codex comes back, or shortens its conversation, where a stream says so; not at a status."""
    model = running.play(SSE(failing(code)))
    answer = await call(running, f"responses:{model}", "responses", stream=True)
    assert (answer.status, len(running.asked(model))) == (200, times)
    assert answer.body == b"".join(failing(code))


async def test_a_timeout_is_not_tried_again_at_the_same_target(running: FaultGateway) -> None:
    model = running.play(Stall())
    answer = await call(running, f"chat:{model}")
    assert (answer.status, len(running.asked(model))) == (504, 1)


async def test_when_all_fail_the_last_error_is_told_and_no_retry_asked_for(
    running: FaultGateway,
) -> None:
    errors = [Json({"error": {"message": f"failed {n}"}}, 500 + n) for n in (0, 2, 3)]
    model = running.play(turns(*errors))
    answer = await call(running, f"chat:{model}")
    assert (answer.status, answer.errors[0]["message"]) == (503, "failed 3")
    assert answer.headers[b"x-should-retry"] == b"false"
    assert len(running.asked(model)) == 3


@pytest.mark.parametrize("client", BOTH)
async def test_when_no_target_can_be_reached_it_is_502_and_no_retry_asked_for(
    running: FaultGateway, client: Dialect
) -> None:
    answer = await call(running, "nobody:m", client)
    assert answer.status == 502
    assert answer.headers[b"x-should-retry"] == b"false"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", BOTH)
async def test_a_second_target_of_another_dialect_answers(
    running: FaultGateway, client: Dialect, streamed: bool
) -> None:
    running.scripts["first"] = Json({"error": {"message": "down"}}, 503)
    running.scripts["second"] = SSE(stream("messages")) if streamed else Json(whole("messages"))
    running.upstream.requests.clear()
    answer = await call(running, "both", client, stream=streamed)
    assert (answer.status, answer.text) == (200, TEXT)
    assert answer.headers[b"x-gateway-provider"] == b"messages"
    assert [request.path for request in running.upstream.requests] == [
        "/v1/chat/completions", "/v1/messages",
    ]  # fmt: skip
    first, second = (msgspec.json.decode(request.body) for request in running.upstream.requests)
    assert (first["model"], second["model"], "max_tokens" in second) == ("first", "second", True)


async def test_a_limited_key_gives_way_to_the_other_and_rests_as_long_as_told(
    running: FaultGateway, keyed: str
) -> None:
    seen: list[str] = []

    async def limited(exchange: ScriptExchange) -> None:
        seen.append(bearer(exchange.request))
        one = Json(fault("chat"), 429, [("retry-after-ms", "600")])
        await exchange.run_script(one if seen[-1] == ONE else Json(whole("chat")))

    model = f"{keyed}:{running.play(limited)}"
    began = time.monotonic()
    answers = [await call(running, model) for _ in range(3)]
    assert time.monotonic() - began < 0.5
    assert [answer.text for answer in answers] == [TEXT] * 3
    assert seen == [ONE, TWO, TWO, TWO]
    await asyncio.sleep(0.65)
    assert (await call(running, model)).text == TEXT
    assert seen[4:] == [ONE, TWO]


async def test_when_every_key_is_limited_the_client_hears_the_limit(
    running: FaultGateway, keyed: str
) -> None:
    model = running.play(Json(fault("chat"), 429, [("retry-after", "30")]))
    answer = await call(running, f"{keyed}:{model}")
    assert (answer.told, len(running.asked(model))) == ((429, "rate_limit_error"), 2)
    assert answer.headers[b"retry-after"] == b"30"
    again = await call(running, f"{keyed}:{model}", "messages")
    assert (again.told, len(running.asked(model))) == ((429, "rate_limit_error"), 2)
    assert 25 < int(again.headers[b"retry-after"]) <= 30


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("client", BOTH)
async def test_a_refused_key_of_ours_is_502_and_rests(
    running: FaultGateway, keyed: str, client: Dialect, status: int
) -> None:
    seen: list[str] = []

    async def refuse(exchange: ScriptExchange) -> None:
        seen.append(bearer(exchange.request))
        body = {"error": {"message": f"bad key {seen[-1]}", "type": "authentication_error"}}
        await exchange.run_script(Json(body, status))

    model = f"{keyed}:{running.play(refuse)}"
    answer = await call(running, model, client)
    assert answer.told == (502, {"chat": "server_error", "messages": "api_error"}[client])
    assert answer.headers[b"x-should-retry"] == b"false"
    assert seen == [ONE, TWO]
    assert b"sk-" not in answer.body


async def test_a_key_that_gemini_refuses_with_400_gives_way_to_the_next(
    running: FaultGateway,
) -> None:
    seen: list[str] = []

    async def refuse_one(exchange: ScriptExchange) -> None:
        seen.append((exchange.request.get_header(b"x-goog-api-key") or b"").decode())
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        error = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}
        bad = Json({"error": error | {"details": [reason]}}, 400)
        await exchange.run_script(bad if seen[-1] == ONE else Json(whole("gemini")))

    model = f"geminis:{running.play(refuse_one)}"
    for _ in range(2):
        answer = await call(running, model)
        assert (answer.status, answer.text) == (200, TEXT)
    assert seen == [ONE, TWO, TWO]


async def test_a_slip_of_geminis_is_asked_for_again(running: FaultGateway) -> None:
    slip = Json(piece(finish="MALFORMED_FUNCTION_CALL"))
    answers = [slip, Json(whole("gemini"))]

    async def slip_once(exchange: ScriptExchange) -> None:
        await exchange.run_script(answers.pop(0))

    answer = await call(running, f"gemini:{running.play(slip_once)}", "messages")
    assert (answer.status, answer.text) == (200, TEXT)
    assert answers == []


@pytest.mark.parametrize("client", ALL)
async def test_a_slip_in_a_stream_of_geminis_is_asked_for_again(
    running: FaultGateway, client: Dialect
) -> None:
    slip = event("gemini", piece(finish="MALFORMED_FUNCTION_CALL"))
    model = running.play(turns(SSE([slip]), SSE(stream("gemini"))))
    answer = await call(running, f"gemini:{model}", client, stream=True)
    assert (answer.status, answer.text, len(running.asked(model))) == (200, TEXT, 2)
    assert answer.ended


async def test_a_slip_that_stays_is_a_status(running: FaultGateway) -> None:
    slip = event("gemini", piece(finish="MALFORMED_FUNCTION_CALL"))
    model = running.play(SSE([slip]))
    answer = await call(running, f"gemini:{model}", "chat", stream=True)
    assert (answer.status, answer.streamed, len(running.asked(model))) == (502, False, 3)


async def test_a_refused_key_rests_while_the_other_serves(
    running: FaultGateway, keyed: str
) -> None:
    seen: list[str] = []

    async def refuse_one(exchange: ScriptExchange) -> None:
        seen.append(bearer(exchange.request))
        bad = Json({"error": {"message": "no"}}, 401)
        await exchange.run_script(bad if seen[-1] == ONE else Json(whole("chat")))

    model = f"{keyed}:{running.play(refuse_one)}"
    assert [(await call(running, model)).text for _ in range(3)] == [TEXT] * 3
    assert seen == [ONE, TWO, TWO, TWO]


async def test_the_clients_own_key_is_passed_through(running: FaultGateway) -> None:
    model = running.play(Json(whole("chat")))
    answer = await call(
        running, f"pass:{model}", "chat", ("authorization", "Bearer sk-own-12345678")
    )
    assert answer.text == TEXT
    (request,) = running.asked(model)
    assert bearer(request) == "sk-own-12345678"
    model = running.play(Json(whole("messages")))
    await call(running, f"claude:{model}", "messages", ("x-api-key", "sk-own-12345678"))
    (request,) = running.asked(model)
    assert request.get_header(b"x-api-key") == b"sk-own-12345678"
    assert request.get_header(b"authorization") is None


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refusal_of_the_clients_own_key_is_the_clients_to_hear(
    running: FaultGateway, status: int
) -> None:
    model = running.play(Json({"error": {"message": "not sk-own-12345678"}}, status))
    answer = await call(
        running, f"pass:{model}", "chat", ("authorization", "Bearer sk-own-12345678")
    )
    assert (answer.status, answer.errors[0]["message"]) == (status, "not ***")
    assert len(running.asked(model)) == 1
    assert (await call(
        running, f"pass:{running.play(Json(whole('chat')))}", "chat", ("api-key", "sk-b-12345678")
    )).text == TEXT  # fmt: skip


@pytest.mark.parametrize("client", BOTH)
async def test_a_missing_own_key_is_401_in_the_known_words(
    running: FaultGateway, client: Dialect
) -> None:
    model = running.play(Json(whole("chat")))
    answer = await call(running, f"pass:{model}", client)
    assert answer.told == (401, "authentication_error")
    assert answer.errors[0]["message"] == (
        "Provider 'pass' requires API key passthrough, but no client API key was provided"
    )
    assert running.asked(model) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-gateway-key", GATEWAY_KEY), ("authorization", f"Bearer {GATEWAY_KEY}"),
        ("x-api-key", GATEWAY_KEY), ("api-key", GATEWAY_KEY), ("x-goog-api-key", GATEWAY_KEY),
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", ["chat", "messages", "pass", "claude"])
async def test_the_gateways_key_never_goes_upstream(
    running: FaultGateway, provider: str, name: str, value: str
) -> None:
    spoken: Dialect = "messages" if provider in ("messages", "claude") else "chat"
    model = running.play(Json(whole(spoken)))
    await ask(
        running.gateway.port, "messages", f"{provider}:{model}", (name, value),
        *([("x-goog-api-key", "sk-own-12345678")] if name != "x-goog-api-key" else []),
    )  # fmt: skip
    for request in running.asked(model):
        assert GATEWAY_KEY.encode() not in b"".join(b"".join(pair) for pair in request.headers)
        assert GATEWAY_KEY.encode() not in request.body


CHAT_KEY = "sk-upstream-of-chat-1234"
MESSAGES_KEY = "sk-upstream-of-messages-1234"


def _echoed(dialect: Dialect, key: str) -> dict[str, tuple[Script, bool]]:
    said = f"key {key} is over its limit"
    inner = {
        "message": said, "type": "rate_limit_error", "param": key, "code": key,
        "details": {"key": key}, "metadata": {"raw": said},
    }  # fmt: skip
    body = encode({"type": "error", "error": inner, "request_id": key})
    first = (b"" if dialect == "chat" else b"event: error\n") + b"data: " + body + b"\n\n"
    return {
        "status": (Json(body, 429), False),
        "400": (Json(body, 400), False),
        "500": (Json(body, 500), False),
        "text": (Json(said.encode(), 500, [("content-type", "text/plain")]), False),
        "detail": (Json({"detail": said}, 422), False),
        "stream status": (Json(body, 429), True),
        "200": (Json(body), False),
        "first event": (SSE([first]), True),
        "status line": (Head(400, [("x-key", key), ("content-length", "0")]), False),
    }


@pytest.mark.parametrize("where", _echoed("chat", ""))
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_a_key_that_the_upstream_echoes_reaches_neither_client_nor_log(
    running: FaultGateway, lane: tuple[Dialect, Dialect], where: str
) -> None:
    client, upstream = lane
    key = CHAT_KEY if upstream == "chat" else MESSAGES_KEY
    script, streamed = _echoed(upstream, key)[where]
    model = f"leaky{upstream}:{running.play(script)}"
    answer = await call(running, model, client, stream=streamed)
    assert answer.status >= 400 or answer.errors
    assert key.encode() not in answer.body
    assert key not in str(answer.headers)
    assert key not in running.gateway.log


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")
async def test_a_key_that_the_upstream_echoes_in_a_later_event_does_not_reach_the_client(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    key = CHAT_KEY if upstream == "chat" else MESSAGES_KEY
    script = SSE([*opening(upstream), fault_event(upstream, f"key {key} is bad")])
    model = f"leaky{upstream}:{running.play(script)}"
    answer = await call(running, model, client, stream=True)
    assert key.encode() not in answer.body


async def test_a_key_without_a_known_prefix_is_kept_from_the_log(running: FaultGateway) -> None:
    key = "0123456789abcdef0123456789abcdef"
    body = {"error": {"message": f"{key} has no quota", "code": key}}
    model = running.play(Json(body, 400))
    answer = await call(running, f"pass:{model}", "messages", ("x-api-key", key))
    assert answer.status == 400
    assert key.encode() not in answer.body
    assert key not in running.gateway.log
