import sys
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.messages import MESSAGES as DIALECT
from gateway.secret import Secret
from gateway.wire.sse import Splitter
from providers.bedrock import Bedrock
from providers.bedrock.invoke import BedrockEngine
from tests.configs import faults
from tests.fakes.asgi import AsgiTestRequest
from tests.fakes.client import wait_until
from tests.fakes.hosting import (
    ONE_TRY_CHAIN,
    USER_MESSAGES,
    GatewayOpener,
    make_gateway_opener,
    run_in_process,
)
from tests.fakes.upstream import (
    SSE,
    Chunk,
    Close,
    Dribble,
    Head,
    Json,
    ReceivedRequest,
    Reset,
    Script,
    Stall,
)
from tests.faults.engines import FakeEngine, answer, runtime, to
from tests.faults.wires import whole
from tests.providers.bedrock.frames import EVENTSTREAM, SAID, chunk, exception, said, sse

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
BEARER = '[providers.bedrock]\napi_key = "bk-1"\nregion = "us-east-1"\nbase_url = "{url}"\n'
SIGNED = """[providers.bedrock]
region = "us-east-1"
base_url = "{url}"
access_key_id = "AKID1"
secret_access_key = "never-sent"
session_token = "st-1"
"""
ASKED = {"model": f"bedrock:{MODEL}", "max_tokens": 9, "messages": USER_MESSAGES}
STREAM = ASKED | {"stream": True}
CHUNKED = [EVENTSTREAM, ("transfer-encoding", "chunked")]


def frames(*pieces: bytes, end: bool = True) -> Script:
    """An answer of frames, each piece a write of its own."""
    return [Head(200, CHUNKED), *map(Chunk, pieces), *([Chunk()] if end else [Close()])]


@pytest.fixture
def open_(tmp_path: Path) -> GatewayOpener:
    """Opens a gateway before scripts."""
    return make_gateway_opener(tmp_path, BEARER)


async def test_a_call_goes_to_the_models_path_with_the_key(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        found = await one.send_call(ASKED | {"temperature": 0.5})
        (request,) = one.upstream.requests
        assert request.path == f"/model/{MODEL.replace(':', '%3A')}/invoke"
        assert request.get_header(b"authorization") == b"Bearer bk-1"
        assert one.last_request_body == {
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": USER_MESSAGES,
            "temperature": 0.5,
        }  # fmt: skip
        assert (found.status, found.body) == (200, whole("messages"))


async def test_a_stream_is_that_of_the_messages_api(open_: GatewayOpener) -> None:
    async with open_(frames(*said())) as one:
        found = await one.send_call(STREAM)
        assert one.upstream.requests[0].path.endswith("/invoke-with-response-stream")
        assert "stream" not in one.last_request_body
        assert found.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert found.body == sse()
        assert found.is_complete


async def test_frames_cut_at_every_byte_are_the_same_stream(open_: GatewayOpener) -> None:
    data = b"".join(said())
    dribble: Script = [Head(200, [EVENTSTREAM, ("content-length", str(len(data)))]), Dribble(data)]
    async with open_(dribble) as one:
        assert (await one.send_call(STREAM)).body == sse()


async def test_an_openai_client_is_answered_in_its_own_dialect(open_: GatewayOpener) -> None:
    async with open_(frames(*said()), Json(whole("messages"))) as one:
        asked = {"model": f"bedrock:{MODEL}", "messages": USER_MESSAGES}
        found = await one.send_call(asked | {"stream": True}, "/v1/chat/completions")
        data = [frame.data for frame in Splitter().feed(found.body)]
        assert data[-1] == b"[DONE]"
        deltas = [msgspec.json.decode(each)["choices"][0]["delta"] for each in data[:-2]]
        assert "".join(each.get("content") or "" for each in deltas) == "Grüße, 世界"
        assert one.last_request_body["anthropic_version"] == "bedrock-2023-05-31"
        assert one.last_request_body["messages"] == USER_MESSAGES
        whole_answer = await one.send_call(asked, "/v1/chat/completions")
        assert whole_answer.json()["usage"]["completion_tokens"] == 2


async def test_an_arn_is_one_segment_of_the_path(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        await one.send_call(ASKED | {"model": f"bedrock:{ARN}"})
        path = one.upstream.requests[0].path
        assert path == f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/invoke"


@pytest.mark.parametrize("model", [".", ".."])
async def test_a_model_cannot_leave_its_segment(open_: GatewayOpener, model: str) -> None:
    async with open_() as one:
        assert (await one.send_call(ASKED | {"model": f"bedrock:{model}"})).status == 400
        assert one.upstream.requests == []


async def test_betas_go_into_the_body_and_unknown_ones_nowhere(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        found = await one.send_call(
            ASKED | {"mcp_servers": []},
            anthropic_beta="context-1m-2025-08-07, mcp-client-2025-11-20",
            anthropic_version="2026-10-21",
        )
        assert one.last_request_body["anthropic_beta"] == ["context-1m-2025-08-07"]
        assert "mcp_servers" not in one.last_request_body
        assert one.last_request_body["anthropic_version"] == "bedrock-2023-05-31"
        request = one.upstream.requests[0]
        assert (
            request.get_header(b"anthropic-beta")
            is request.get_header(b"anthropic-version")
            is None
        )
        assert found.headers["x-gateway-warnings"] == (
            "anthropic-beta:mcp-client-2025-11-20_unknown_to_host, mcp_servers:unknown_to_host"
        )


async def test_strict_refuses_what_would_stay_behind(tmp_path: Path) -> None:
    config = "strict = true\n" + BEARER + ONE_TRY_CHAIN
    async with run_in_process(tmp_path, config) as one:
        found = await one.send_call(ASKED, anthropic_beta="mcp-client-2025-11-20")
        assert found.status == 400
        assert "mcp-client-2025-11-20" in found.json()["error"]["message"]
        assert one.upstream.requests == []


async def test_what_claude_code_asks_for_arrives_as_the_host_takes_it(tmp_path: Path) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    tool = {"name": "Bash", "input_schema": {"type": "object"}}
    asked: dict[str, object] = {
        "system": [{"type": "text", "text": "Be", "cache_control": mark | {"scope": "global"}}],
        "tools": [tool | {"eager_input_streaming": True}],
        "context_management": {"edits": []}, "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"}, "metadata": {"user_id": "u"},
    }  # fmt: skip
    betas = (
        "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
        "prompt-caching-scope-2026-01-05,effort-2025-11-24"
    )
    config = "strict = true\n" + BEARER + ONE_TRY_CHAIN
    async with run_in_process(tmp_path, config, frames(*said())) as one:
        found = await one.send_call(STREAM | asked, anthropic_beta=betas)
        assert found.body == sse()
        assert one.last_request_body == asked | {
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": USER_MESSAGES,
            "system": [{"type": "text", "text": "Be", "cache_control": mark}],
            "anthropic_beta": [
                "interleaved-thinking-2025-05-14", "context-management-2025-06-27",
                "effort-2025-11-24",
            ],
        }  # fmt: skip


async def test_credentials_sign_and_are_not_sent(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages")), config=SIGNED) as one:
        assert (await one.send_call(ASKED)).status == 200
        (request,) = one.upstream.requests
        signature = request.get_header(b"authorization") or b""
        assert signature.startswith(b"AWS4-HMAC-SHA256 Credential=AKID1/")
        assert b"/us-east-1/bedrock/aws4_request" in signature
        assert b"SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in signature
        assert request.get_header(b"x-amz-security-token") == b"st-1"
        assert b"never-sent" not in repr(request).encode()


@pytest.mark.parametrize(
    ("name", "status", "seen", "kind"),
    [
        ("ThrottlingException", 429, 429, "rate_limit_error"),
        ("ValidationException", 400, 400, "invalid_request_error"),
        ("ResourceNotFoundException", 404, 404, "not_found_error"),
        ("ModelTimeoutException", 408, 504, "timeout_error"),
        ("ServiceUnavailableException", 503, 503, "api_error"),
        ("ModelNotReadyException", 429, 529, "overloaded_error"),
    ],
)
async def test_an_error_has_the_status_and_the_words_of_messages(
    open_: GatewayOpener, name: str, status: int, seen: int, kind: str
) -> None:
    told = Json({"message": "so it is"}, status, [("x-amzn-ErrorType", f"{name}:http://x")])
    async with open_(told) as one:
        for body in (ASKED, STREAM):
            found = await one.send_call(body)
            assert found.status == seen
            assert found.json()["error"] == {"type": kind, "message": "so it is"}


@pytest.mark.parametrize("name", ["ExpiredTokenException", "AccessDeniedException"])
@pytest.mark.parametrize("config", [BEARER, SIGNED])
async def test_a_refusal_of_the_gateways_own_is_not_told_in_detail(
    open_: GatewayOpener, config: str, name: str
) -> None:
    words = {"message": "User: arn:aws:iam::123456789012:user/x is not authorized"}
    async with open_(Json(words, 403, [("x-amzn-errortype", name)]), config=config) as one:
        found = await one.send_call(ASKED)
        assert found.status == 502
        assert b"arn:aws" not in found.body
        assert found.json()["error"]["details"]["upstream_type"] in (
            "authentication_error", "permission_error",
        )  # fmt: skip


async def test_credentials_that_expired_are_looked_for_anew(
    open_: GatewayOpener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    def keys(name: str) -> None:
        file.write_text(f"[work]\naws_access_key_id = {name}\naws_secret_access_key = x\n")

    def script(request: ReceivedRequest) -> Script:
        if b"Credential=OLD/" not in (request.get_header(b"authorization") or b""):
            return Json(whole("messages"))
        keys("NEW")
        return Json({"message": "old"}, 403, [("x-amzn-errortype", "ExpiredTokenException")])

    keys("OLD")
    config = BEARER.replace('api_key = "bk-1"', 'profile = "work"')
    async with open_(config=config) as one:
        one.upstream._select = script
        for _ in range(2):
            assert (await one.send_call(ASKED)).status == 200
        signers = [each.get_header(b"authorization") or b"" for each in one.upstream.requests]
        names = [each.partition(b"Credential=")[2].partition(b"/")[0] for each in signers]
        assert names == [b"OLD", b"NEW", b"NEW"]


async def test_without_credentials_the_client_hears_of_it(
    open_: GatewayOpener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    config = BEARER.replace('api_key = "bk-1"', 'profile = "work"')
    async with open_(config=config) as one:
        found = await one.send_call(ASKED)
        assert found.status == 503
        assert "AWS credentials could not be had" in found.json()["error"]["message"]
        assert one.upstream.requests == []


async def test_an_exception_before_the_first_event_is_a_status(open_: GatewayOpener) -> None:
    async with open_(frames(exception("throttlingException", "slow"))) as one:
        found = await one.send_call(STREAM)
        assert found.status == 429
        assert found.json()["error"] == {"type": "rate_limit_error", "message": "slow"}


async def test_an_exception_in_the_middle_ends_the_stream(open_: GatewayOpener) -> None:
    told = exception("modelStreamErrorException", "it broke")
    async with open_(frames(*said()[:3], told)) as one:
        found = await one.send_call(STREAM)
        error: dict[str, object] = {
            "type": "error", "error": {"type": "api_error", "message": "it broke"},
        }  # fmt: skip
        assert found.body == sse(*SAID[:3], error)
        assert found.is_complete


@pytest.mark.parametrize("ending", ["crc", "prelude", "cut", "reset", "hang-up"])
async def test_a_broken_stream_ends_in_an_error_and_never_in_an_ending(
    open_: GatewayOpener, ending: str
) -> None:
    good, bad = said()[:3], said()[3]
    scripts: dict[str, Script] = {
        "crc": frames(*good, bad[:-1] + bytes([bad[-1] ^ 1]), *said()[4:]),
        "prelude": frames(*good, bad[:9] + bytes([bad[9] ^ 1]) + bad[10:], *said()[4:]),
        "cut": frames(*good, bad[:-5]),
        "reset": [Head(200, CHUNKED), *map(Chunk, good), Reset()],
        "hang-up": frames(*good, end=False),
    }
    async with open_(scripts[ending]) as one:
        found = await one.send_call(STREAM)
        assert found.body.startswith(b"event: ")
        events = Splitter().feed(found.body)
        assert events[-1].event == b"error"
        assert b"message_stop" not in found.body
        assert found.body.count(b"event: error") == 1


async def test_a_stream_without_an_ending_is_told_to_be_cut(open_: GatewayOpener) -> None:
    async with open_(frames(*said()[:-2])) as one:
        found = await one.send_call(STREAM)
        assert Splitter().feed(found.body)[-1].event == b"error"


async def test_connections_serve_again_after_a_stream(open_: GatewayOpener) -> None:
    async with open_(frames(*said())) as one:
        for _ in range(3):
            assert (await one.send_call(STREAM)).body == sse()
        assert one.upstream.accepted_count == 1


async def test_a_client_that_leaves_ends_the_upstreams_stream(open_: GatewayOpener) -> None:
    stall: Script = [Head(200, CHUNKED), *map(Chunk, said()[:3]), Stall()]
    async with open_(stall) as one:
        client = AsgiTestRequest(one.app, STREAM, path="/v1/messages").start()
        await client.wait_until_sent("Grüße".encode())
        client.hang_up()
        await client.wait_done()
        await wait_until(lambda: one.upstream.closed_connections)
        assert one.upstream.open_connections == 0


async def test_a_clients_own_key_is_passed_on(open_: GatewayOpener) -> None:
    config = BEARER.replace('"bk-1"', '"!PASSTHRU"')
    async with open_(Json(whole("messages")), config=config) as one:
        assert (await one.send_call(ASKED, authorization="Bearer bk-own")).status == 200
        assert one.upstream.requests[0].get_header(b"authorization") == b"Bearer bk-own"
        assert (await one.send_call(ASKED)).status == 401


async def test_throttled_it_goes_to_the_next_target(tmp_path: Path) -> None:
    config = BEARER + '[providers.other]\nuse = "compatible"\nspeaks = ["messages"]\n'
    config += 'base_url = "{url}"\n[aliases]\n'
    config += f'both = ["bedrock:{MODEL}", "other:m"]\n'
    told = Json({"message": "slow"}, 429, [("x-amzn-errortype", "ThrottlingException")])
    async with run_in_process(tmp_path, config, told, told, Json(whole("messages"))) as one:
        found = await one.send_call(ASKED | {"model": "both"})
        assert found.status == 200
        assert found.headers["x-gateway-provider"] == "other"


async def test_a_count_is_an_estimate(open_: GatewayOpener) -> None:
    async with open_() as one:
        body = {"model": f"bedrock:{MODEL}", "messages": [{"role": "user", "content": "hi"}]}
        found = await one.send_call(body, "/v1/messages/count_tokens")
        assert found.headers["x-gateway-estimate"] == "1"
        assert one.upstream.requests == []


async def test_other_events_of_the_stream_pass(open_: GatewayOpener) -> None:
    ping = chunk(b'{"type":"brand_new","x":1.0}')
    async with open_(frames(*said()[:2], ping, *said()[2:])) as one:
        assert b'event: brand_new\ndata: {"type":"brand_new","x":1.0}\n\n' in (
            (await one.send_call(STREAM)).body
        )


# --- the Messages API on the same address ---------------------------------------------------------

MESSAGES = BEARER.replace('"{url}"', '"{url}/anthropic/v1"') + 'api = "messages"\n'


async def test_the_messages_api_gets_the_clients_own_request(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages")), SSE([sse()]), config=MESSAGES) as one:
        found = await one.send_call(
            ASKED | {"mcp_servers": []}, anthropic_version="2026-10-21",
            anthropic_beta="mcp-client-2025-11-20,context-1m-2025-08-07",
        )  # fmt: skip
        (request,) = one.upstream.requests
        assert request.path == "/anthropic/v1/messages"
        assert request.get_header(b"authorization") == b"Bearer bk-1"
        assert request.get_header(b"anthropic-version") == b"2026-10-21"
        assert request.get_header(b"anthropic-beta") == b"context-1m-2025-08-07"
        assert one.last_request_body == ASKED | {"model": MODEL}
        assert found.body == whole("messages")
        streamed = await one.send_call(STREAM)
        assert one.last_request_body == STREAM | {"model": MODEL}
        assert one.upstream.requests[-1].get_header(b"anthropic-version") == b"2023-06-01"
        assert one.upstream.requests[-1].get_header(b"anthropic-beta") is None
        assert streamed.body == sse()


async def test_the_messages_api_counts(open_: GatewayOpener) -> None:
    async with open_(Json({"input_tokens": 14}), config=MESSAGES) as one:
        found = await one.send_call(
            {"model": f"bedrock:{MODEL}", "messages": USER_MESSAGES}, "/v1/messages/count_tokens"
        )
        assert found.json() == {"input_tokens": 14}
        assert one.upstream.requests[0].path == "/anthropic/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("host", "service"),
    [("", b"/us-east-1/bedrock/"), ("bedrock-mantle.us-east-1.api.aws", b"/bedrock-mantle/")],
)
async def test_a_signature_names_the_service_of_the_address(host: str, service: bytes) -> None:
    given = Bedrock(
        api="messages", region=REGION, access_key_id=Secret("a"), secret_access_key=Secret("b"),
        base_url=f"https://{host}/anthropic/v1" if host else "",
    )  # fmt: skip
    provider = bound(given)
    if not host:
        url = "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1"
        assert provider.status().base_url == url
    inner = FakeEngine(answer(whole("messages")))
    assert isinstance(provider._engine, BedrockEngine)
    provider._engine._inner = inner
    await provider(to(provider, {"max_tokens": 1}, dialect=DIALECT))
    assert service in dict(inner.headers)[b"authorization"]


# --- options --------------------------------------------------------------------------------------


KEY, REGION = Secret("k"), "us-east-1"


def bound(provider: Bedrock, env: dict[str, str] | None = None) -> Bedrock:
    """A provider bound in an environment."""
    where = runtime()
    where.config.source.env = env or {}
    provider.bind("bed", where)
    return provider


@pytest.mark.parametrize(
    ("env", "region", "url"),
    [
        ({}, "eu-west-1", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        (
            {"AWS_REGION": "a-1", "AWS_DEFAULT_REGION": "b-1"}, "",
            "https://bedrock-runtime.a-1.amazonaws.com",
        ),
        ({"AWS_DEFAULT_REGION": "b-1"}, "", "https://bedrock-runtime.b-1.amazonaws.com"),
        ({}, "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
    ],
)  # fmt: skip
def test_the_region_gives_the_address(env: dict[str, str], region: str, url: str) -> None:
    assert bound(Bedrock(api_key=KEY, region=region), env).status().base_url == url


def test_an_address_of_ones_own_with_a_key_needs_no_region() -> None:
    url = "https://vpce.example"
    assert bound(Bedrock(api_key=KEY, base_url=url)).status().base_url == url


def test_the_key_of_the_environment_comes_before_credentials() -> None:
    env = {"AWS_BEARER_TOKEN_BEDROCK": "bk-env", "AWS_REGION": REGION}
    found = bound(Bedrock(), env)
    assert found.make_auth_headers("k") == [(b"authorization", b"Bearer k")]
    same = bound(Bedrock(api_key=Secret("bk-env"), region=REGION))
    assert found.status().key_hashes == same.status().key_hashes
    given = Bedrock(access_key_id=Secret("a"), secret_access_key=Secret("b"))
    for own in (Bedrock(profile="work"), given):
        assert bound(own, env).make_auth_headers("k") == []


async def test_lists_of_models_are_not_had_here() -> None:
    assert await bound(Bedrock(api_key=KEY, region=REGION)).models(None) is None


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ('api_key = "k"', "region"),
        ('base_url = "http://127.0.0.1"', "region"),
        ('region = "r-1"\naccess_key_id = "a"', "secret_access_key"),
        ('region = "r-1"\nsecret_access_key = "a"', "access_key_id"),
        ('region = "r-1"\nsession_token = "a"', "access_key_id"),
    ],
)
def test_what_is_missing_is_said_by_name(tmp_path: Path, options: str, path: str) -> None:
    (fault,) = faults(tmp_path, f"[server]\ndiscover = false\n[providers.bedrock]\n{options}\n")
    assert f"providers.bedrock.{path}" in fault


def test_without_botocore_a_key_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("botocore", "botocore.credentials", "botocore.exceptions", "botocore.session"):
        monkeypatch.setitem(sys.modules, name, None)
    text = '[server]\ndiscover = false\n[providers.bedrock]\nregion = "us-east-1"\n'
    (fault,) = faults(tmp_path, text)
    assert "interlingua[bedrock]" in fault
    assert "AWS_BEARER_TOKEN_BEDROCK" in fault
    assert faults(tmp_path, text + 'api_key = "k"\n') == []


def test_a_models_capability_is_found_under_every_prefix() -> None:
    provider = bound(Bedrock(api_key=KEY, region=REGION))
    for prefix in ("", "us.", "eu.", "global.", "arn:aws:bedrock:eu-west-1::foundation-model/"):
        found = provider.capability(f"{prefix}{MODEL}")
        assert found.max_output == 64000
        assert found.thinking == ("enabled", "disabled")
        assert found.anthropic_versions == ("bedrock-2023-05-31",)
