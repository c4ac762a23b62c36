from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from gateway.call import Headers
from gateway.config.faults import ConfigError
from gateway.errors import (
    AllKeysCoolingDown,
    BadAnswer,
    Cut,
    GatewayError,
    Refused,
    Unauthenticated,
    Unreachable,
)
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from providers.transport.engine import Response
from providers.transport.provider import HttpProvider
from tests.faults.engines import Chunks, answer, made, runtime, streamed, to
from tests.faults.wires import stream, whole

URL = "http://127.0.0.1:1/v1"
KEY = "sk-up-1234567890"


def up(**options: Any) -> HttpProvider:
    return HttpProvider(base_url=URL, **options)


async def replied(*answers: Response | GatewayError, stream: bool = False) -> Any:
    """What becomes of an upstream's answer."""
    one = made(up(api_key=Secret(KEY)), *answers)
    return await one.ask(to(one.provider, {"stream": stream}))


async def body_of(reply: object) -> bytes:
    assert isinstance(reply, Reply)
    if isinstance(reply.body, bytes):
        return reply.body
    found = b"".join([chunk async for chunk in reply.body])
    await reply.aclose()
    return found


# --- the request ----------------------------------------------------------------------------------


async def test_a_request_has_the_dialects_path_the_key_and_the_clients_members() -> None:
    one = made(up(api_key=Secret(KEY), headers={"X-Team": "a"}))
    call = to(one.provider, {"temperature": 0.5})
    await one.ask(call)
    (sent,) = one.engine.sent
    assert (sent.method, sent.target) == (b"POST", b"/chat/completions")
    assert one.engine.headers == [
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer " + KEY.encode()),
        (b"x-team", b"a"),
    ]
    assert sent.body == call.encode()


async def test_defaults_fill_only_what_the_client_left_out() -> None:
    one = made(up(defaults={"seed": 7, "temperature": 0.1, "user": {"a": [1]}}))
    await one.ask(to(one.provider, {"temperature": 0.9, "user": None}))
    got = msgspec.json.decode(one.engine.sent[0].body)
    assert (got["seed"], got["temperature"], got["user"]) == (7, 0.9, None)


async def test_without_a_key_none_is_sent() -> None:
    one = made(up())
    await one.ask()
    assert one.engine.headers == [(b"content-type", b"application/json")]


async def test_no_header_of_a_client_goes_on() -> None:
    one = made(up())
    await one.ask(to(one.provider, headers=[(b"x-a", b"1"), (b"authorization", b"Bearer x")]))
    assert one.engine.headers == [(b"content-type", b"application/json")]


async def test_the_configured_timeouts_go_with_each_request() -> None:
    one = made(up(timeouts={"first_byte": 7.0}))
    await one.ask()
    (timeouts,) = one.engine.timeouts
    assert (timeouts.first_byte, timeouts.idle, timeouts.connect) == (7.0, 120.0, 5.0)


async def test_a_target_may_bring_its_own_time() -> None:
    one = made(up(timeouts={"first_byte": 7.0, "connect": 2.0}))
    call = to(one.provider)
    assert call.target is not None
    await one.ask(call.routed(msgspec.structs.replace(call.target, timeout=3.0)))
    (timeouts,) = one.engine.timeouts
    assert (timeouts.first_byte, timeouts.idle, timeouts.connect) == (3.0, 3.0, 2.0)


async def test_the_engine_closes_with_the_provider() -> None:
    one = made(up())
    async with one.provider.running():
        assert not one.engine.closed
    assert one.engine.closed


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"base_url": ""}, "providers.p.base_url"),
        ({"base_url": "ftp://h/v1"}, "providers.p.base_url"),
        ({"base_url": "http://u:p@h/v1"}, "providers.p.base_url"),
        ({"proxy": "http://h:1"}, "providers.p.base_url"),
        ({"timeouts": {"slow": 1.0}}, "providers.p.timeouts.slow"),
        ({"capabilities": {"no_such": 1}}, "providers.p.capabilities.no_such"),
        ({"capabilities": {"stop_max": "x"}}, "providers.p.capabilities.stop_max"),
        ({"by_model": {"gpt*": {"cache": "x"}}}, 'providers.p.models."gpt*".cache'),
    ],
)
def test_options_that_cannot_work_are_refused_at_the_start(
    options: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpProvider(**{"base_url": URL, **options}).bind("p", runtime())
    assert [fault.path for fault in caught.value.faults] == [path]


# --- keys -----------------------------------------------------------------------------------------


async def test_keys_take_turns_and_a_limited_one_rests() -> None:
    keys = [Secret("key-one-12345"), Secret("key-two-12345")]
    one = made(up(api_key=keys), answer(b'{"error":{"message":"slow"}}', 429), answer())
    await one.ask()
    seen = [dict(one.engine.headers)[b"authorization"]]
    for _ in range(2):
        await one.ask()
        seen.append(dict(one.engine.headers)[b"authorization"])
    assert seen == [b"Bearer key-one-12345", b"Bearer key-two-12345", b"Bearer key-two-12345"]


async def test_a_missing_own_key_is_told_and_nothing_sent() -> None:
    one = made(up(api_key=Secret("!PASSTHRU")), name="open")
    fault = await one.ask()
    assert isinstance(fault, Unauthenticated)
    assert fault.message == (
        "Provider 'open' requires API key passthrough, but no client API key was provided"
    )
    assert one.engine.sent == []


async def test_the_clients_own_key_goes_on_and_is_asked_once_where_refused() -> None:
    one = made(up(api_key=Secret("!PASSTHRU")), answer(b'{"error":{"message":"no"}}', 401))
    call = to(one.provider, own="sk-own-12345678")
    reply = await one.ask(call)
    assert isinstance(reply, Reply)
    assert reply.status == 401
    assert dict(one.engine.headers)[b"authorization"] == b"Bearer sk-own-12345678"
    assert isinstance(await one.ask(call), AllKeysCoolingDown)
    assert len(one.engine.sent) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_of_ours_is_502_without_the_upstreams_words(status: int) -> None:
    fault = await replied(answer(b'{"error":{"message":"key sk-up... is bad"}}', status))
    assert isinstance(fault, Refused)
    assert (fault.status, fault.upstream_status, fault.should_retry) == (502, status, False)
    assert fault.message == (
        f"the provider 'up' refused the gateway's key ({status}); the operator has to replace it"
    )


async def test_the_key_is_taken_out_of_all_that_an_error_tells() -> None:
    said = {"message": f"a {KEY}", "code": KEY, "param": KEY, "details": {"x": [KEY]}}
    reply = await replied(answer(msgspec.json.encode({"error": said}), 400))
    assert KEY.encode() not in await body_of(reply)
    error = reply.error
    assert (error.message, error.code, error.param) == ("a ***", "***", "***")
    assert KEY not in str(error.details)
    fault = await replied(answer(msgspec.json.encode({"error": said})))
    assert (fault.message, fault.code) == ("a ***", "***")


# --- whole answers --------------------------------------------------------------------------------


async def test_a_whole_answer_passes_byte_for_byte() -> None:
    body = whole("chat")
    reply = await replied(answer(body))
    assert (reply.status, reply.body, reply.error) == (200, body, None)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n \r\n"])
async def test_what_stands_before_an_answer_is_left_out(before: bytes) -> None:
    reply = await replied(answer(before + whole("chat")))
    assert reply.body == whole("chat")


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"[1]", b"null", b'"a"', whole("chat")[:-30], b"data: {}\n\n"]
)
async def test_a_body_that_is_no_object_is_no_answer(body: bytes) -> None:
    assert isinstance(await replied(answer(body)), BadAnswer)


@pytest.mark.parametrize("status", [201, 204, 302, 304, 600, 999])
async def test_a_status_that_is_neither_answer_nor_error_is_a_bad_answer(status: int) -> None:
    fault = await replied(answer(b"{}", status))
    assert isinstance(fault, BadAnswer)
    assert str(status) in fault.message


async def test_an_error_in_a_200_is_an_error() -> None:
    fault = await replied(answer(b'{"error":{"message":"slow","code":429}}'))
    assert isinstance(fault, Refused)
    assert (fault.status, fault.message) == (429, "slow")


@pytest.mark.parametrize("status", [400, 404, 429, 500, 529])
async def test_an_error_in_json_keeps_its_bytes_and_status(status: int) -> None:
    body = b'{ "error" : {"message": "said"} }'
    reply = await replied(answer(body, status))
    assert (reply.status, reply.body, reply.error.message) == (status, body, "said")


async def test_an_error_page_becomes_an_error_in_json() -> None:
    page = Response(502, [(b"content-type", b"text/html")], Chunks(b"<html>no</html>"))
    reply = await replied(page)
    assert reply.headers == []
    assert msgspec.json.decode(reply.body)["error"]["message"] == "upstream returned 502"


async def test_a_fault_of_the_way_there_is_passed_on() -> None:
    fault = Unreachable(f"no way, {KEY}")
    assert await replied(fault) is fault
    assert fault.message == "no way, ***"


async def test_a_body_that_breaks_off_is_closed_and_passed_on_as_a_fault() -> None:
    source = Chunks(b'{"a', Cut("gone"))
    fault = await replied(Response(200, [], source))
    assert isinstance(fault, Cut)
    assert source.closed == 1


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
async def test_a_stream_passes_byte_for_byte_however_it_is_cut(size: int) -> None:
    data = b"".join(stream("chat"))
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    reply = await replied(streamed(*chunks), stream=True)
    assert isinstance(reply.body, Stream)
    assert await body_of(reply) == data


@pytest.mark.parametrize("cut", [1, 2, 3, 50])
async def test_a_byte_order_mark_is_left_out_of_a_stream(cut: int) -> None:
    data = b"".join(stream("chat"))
    marked = b"\xef\xbb\xbf" + data
    reply = await replied(streamed(marked[:cut], marked[cut:]), stream=True)
    assert await body_of(reply) == data


@pytest.mark.parametrize("size", [1, 10, 1000])
@pytest.mark.parametrize("before", [b"", b": processing\n\n", b"\r\n"])
async def test_an_error_as_the_first_event_is_a_fault_and_closes(before: bytes, size: int) -> None:
    event = before + b'data: {"error":{"message":"full","code":503}}\n\n'
    source = Chunks(*(event[at : at + size] for at in range(0, len(event), size)))
    response = Response(200, [(b"content-type", b"Text/Event-Stream; x=y")], source)
    fault = await replied(response, stream=True)
    assert isinstance(fault, Refused)
    assert (fault.status, fault.message) == (503, "full")
    assert source.closed == 1


async def test_an_error_in_a_later_event_is_left_in_the_stream() -> None:
    data = [*stream("chat")[:1], b'data: {"error":{"message":"full"}}\n\n']
    reply = await replied(streamed(*data), stream=True)
    assert await body_of(reply) == b"".join(data)


@pytest.mark.parametrize("chunks", [(), (b": a\n\n",), (b"\n\n",), (b"event: a",)])
async def test_a_stream_without_an_event_is_cut(chunks: tuple[bytes, ...]) -> None:
    assert isinstance(await replied(streamed(*chunks), stream=True), Cut)


async def test_a_stream_that_breaks_off_before_its_first_event_is_closed() -> None:
    source = Chunks(b"data: {", Cut("gone"))
    response = Response(200, [(b"content-type", b"text/event-stream")], source)
    assert isinstance(await replied(response, stream=True), Cut)
    assert source.closed == 1


async def test_json_in_answer_to_a_stream_is_a_whole_answer() -> None:
    reply = await replied(answer(whole("chat")), stream=True)
    assert reply.body == whole("chat")
    assert reply.headers == []


# --- headers --------------------------------------------------------------------------------------


async def test_only_the_listed_headers_are_seen_and_ids_recorded() -> None:
    headers: Headers = [
        (b"retry-after", b"1"), (b"x-ratelimit-limit-requests", b"2"), (b"set-cookie", b"a=b"),
        (b"anthropic-ratelimit-tokens-limit", b"3"), (b"x-codex-a", b"4"), (b"server", b"x"),
        (b"x-request-id", b"up-1"), (b"location", b"/"), (b"connection", b"close, X-Codex-A"),
    ]  # fmt: skip
    one = made(up(), answer(headers=headers))
    call = to(one.provider)
    reply = await one.ask(call)
    assert isinstance(reply, Reply)
    assert reply.headers == [
        (b"content-type", b"application/json"), (b"retry-after", b"1"),
        (b"x-ratelimit-limit-requests", b"2"), (b"anthropic-ratelimit-tokens-limit", b"3"),
    ]  # fmt: skip
    assert call.record.upstream_id == "up-1"


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        (b"retry-after", b"7", 7.0), (b"retry-after", b"1.5", 1.5), (b"retry-after", b" 2 ", 2.0),
        (b"retry-after-ms", b"250", 0.25), (b"retry-after-ms", b"-5", 0.0),
        (b"retry-after", b"soon", None), (b"retry-after", b"", None),
        (b"retry-after-ms", b"nan", None), (b"retry-after-ms", b"inf", None),
        (b"retry-after", b"9" * 400, None), (b"retry-after", "\u00b2".encode("latin-1"), None),
        (b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (b"retry-after", b"Wed, 99 Foo 2015 07:28:00 GMT", None),
    ],
)  # fmt: skip
async def test_a_wait_is_read_in_all_its_forms(
    name: bytes, value: bytes, seconds: float | None
) -> None:
    reply = await replied(answer(b'{"error":{"message":"x"}}', 503, [(name, value)]))
    assert reply.error.retry_after == seconds


async def test_a_wait_until_a_date_is_the_time_left() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True).encode()
    reply = await replied(answer(b'{"error":{"message":"x"}}', 503, [(b"retry-after", date)]))
    assert 57 < reply.error.retry_after <= 60


async def test_times_of_the_way_there_are_recorded() -> None:
    response = answer()
    response.connect, response.queued = 0.25, 0.5
    one = made(up(), response)
    call = to(one.provider)
    await one.ask(call)
    assert (call.record.connect, call.record.queued) == (0.25, 0.5)
    assert 0 <= call.record.first_byte < 1
