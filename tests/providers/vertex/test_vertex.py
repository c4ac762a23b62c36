import sys
from pathlib import Path

import pytest

from gateway.secret import Secret
from gateway.wire.sse import Splitter
from providers.vertex import Vertex
from tests.configs import faults
from tests.fakes.hosting import USER_MESSAGES, GatewayOpener, make_gateway_opener
from tests.fakes.upstream import SSE, Json, ReceivedRequest, Script
from tests.faults.engines import runtime
from tests.faults.wires import whole
from tests.providers.bedrock.frames import SAID, sse
from tests.providers.vertex.accounts import service_account

MODEL = "claude-sonnet-4-5@20250929"
AT = "/v1/projects/p-1/locations/global/publishers/anthropic/models"
GIVEN = """[providers.vertex]
api_key = "ya29.given"
project = "p-1"
base_url = "{url}/v1"
"""
ASKED = {"model": f"vertex:{MODEL}", "max_tokens": 9, "messages": USER_MESSAGES}
STREAM = ASKED | {"stream": True}
EVENTS = [sse(each) for each in SAID]


@pytest.fixture
def open_(tmp_path: Path) -> GatewayOpener:
    """Opens a gateway before scripts."""
    return make_gateway_opener(tmp_path, GIVEN)


async def test_a_call_goes_to_the_models_path_with_the_token(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        answer = await one.send_call(ASKED)
        (request,) = one.upstream.requests
        assert request.path == f"{AT}/{MODEL}:rawPredict"
        assert request.get_header(b"authorization") == b"Bearer ya29.given"
        assert one.last_request_body == {
            "anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": USER_MESSAGES,
        }  # fmt: skip
        assert (answer.status, answer.body) == (200, whole("messages"))


async def test_a_stream_passes_as_it_is(open_: GatewayOpener) -> None:
    async with open_(SSE(EVENTS)) as one:
        answer = await one.send_call(STREAM)
        assert one.upstream.requests[0].path == f"{AT}/{MODEL}:streamRawPredict"
        assert one.last_request_body["stream"] is True
        assert answer.body == b"".join(EVENTS)


async def test_an_openai_client_is_answered_in_its_own_dialect(open_: GatewayOpener) -> None:
    async with open_(SSE(EVENTS)) as one:
        asked = {"model": f"vertex:{MODEL}", "messages": USER_MESSAGES, "stream": True}
        answer = await one.send_call(asked, "/v1/chat/completions")
        assert "Grüße, ".encode() in answer.body
        assert Splitter().feed(answer.body)[-1].data == b"[DONE]"


async def test_tokens_are_counted_by_the_host(open_: GatewayOpener) -> None:
    async with open_(Json({"input_tokens": 14})) as one:
        asked = {"model": f"vertex:{MODEL}", "messages": USER_MESSAGES}
        answer = await one.send_call(asked, "/v1/messages/count_tokens")
        assert answer.json() == {"input_tokens": 14}
        assert one.upstream.requests[0].path == f"{AT}/count-tokens:rawPredict"
        assert one.last_request_body == {
            "anthropic_version": "vertex-2023-10-16", "model": "claude-sonnet-4-5",
            "messages": USER_MESSAGES,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "not it"}}),
        (404, {"error": {"code": 404, "message": "not here", "status": "NOT_FOUND"}}),
        (500, {"error": {"code": 500, "message": "no", "status": "INTERNAL"}}),
    ],
)
async def test_what_the_host_does_not_count_is_estimated(
    open_: GatewayOpener, status: int, error: object
) -> None:
    async with open_(Json(error, status), config="strict = true\n" + GIVEN) as one:
        asked = {"model": f"vertex:{MODEL}", "messages": USER_MESSAGES}
        answer = await one.send_call(
            asked, "/v1/messages/count_tokens", anthropic_beta="unknown-2026-01-01"
        )
        assert answer.status == 200
        assert answer.headers["x-gateway-estimate"] == "1"
        assert len(one.upstream.requests) == 1


async def test_betas_stay_a_header_as_far_as_the_host_knows_them(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        answer = await one.send_call(
            ASKED | {"service_tier": "auto"},
            anthropic_beta="advanced-tool-use-2025-11-20,files-api-2025-04-14",
            anthropic_version="2026-10-21",
        )
        (request,) = one.upstream.requests
        assert request.get_header(b"anthropic-beta") == b"tool-search-tool-2025-10-19"
        assert request.get_header(b"anthropic-version") is None
        assert "service_tier" not in one.last_request_body
        assert answer.headers["x-gateway-warnings"] == (
            "anthropic-beta:files-api-2025-04-14_unknown_to_host, service_tier:unknown_to_host"
        )


async def test_googles_errors_have_the_words_of_messages(open_: GatewayOpener) -> None:
    error = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}
    async with open_(Json([error], 429, [("retry-after", "3")])) as one:
        answer = await one.send_call(STREAM)
        assert answer.status == 429
        assert answer.headers["retry-after"] == "3"
        assert answer.json()["error"] == {"type": "rate_limit_error", "message": "Quota exceeded"}


async def test_credentials_are_renewed_when_the_token_was_refused(
    open_: GatewayOpener, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    minted = iter(["t-1", "t-2"])

    def script(request: ReceivedRequest) -> Script:
        if request.path == "/token":
            return Json({"access_token": next(minted), "expires_in": 3600})
        if request.get_header(b"authorization") == b"Bearer t-1":
            return Json({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        return Json(whole("messages"))

    config = GIVEN.replace('api_key = "ya29.given"', f'credentials_file = "{file}"')
    async with open_(config=config) as one:
        one.upstream._select = script
        service_account(file, one.upstream.url)
        for _ in range(2):
            assert (await one.send_call(ASKED)).status == 200
        tokens = [each.get_header(b"authorization") for each in one.upstream.requests]
        assert tokens == [None, b"Bearer t-1", None, b"Bearer t-2", b"Bearer t-2"]


async def test_without_credentials_the_client_hears_of_it(open_: GatewayOpener) -> None:
    config = GIVEN.replace('api_key = "ya29.given"', 'credentials_file = "/nowhere"')
    async with open_(config=config) as one:
        answer = await one.send_call(ASKED)
        assert answer.status == 503
        assert "no Google access token" in answer.json()["error"]["message"]
        assert one.upstream.requests == []


@pytest.mark.parametrize("model", [".", ".."])
async def test_a_model_cannot_leave_its_segment(open_: GatewayOpener, model: str) -> None:
    async with open_() as one:
        assert (await one.send_call(ASKED | {"model": f"vertex:{model}"})).status == 400
        assert one.upstream.requests == []


async def test_a_models_name_is_one_segment(open_: GatewayOpener) -> None:
    async with open_(Json(whole("messages"))) as one:
        await one.send_call(ASKED | {"model": "vertex:a/b?c:d"})
        assert one.upstream.requests[0].path == f"{AT}/a%2Fb%3Fc%3Ad:rawPredict"


# --- options --------------------------------------------------------------------------------------


def bound(provider: Vertex, env: dict[str, str] | None = None) -> Vertex:
    """A provider bound in an environment."""
    where = runtime()
    where.config.source.env = env or {}
    provider.bind("v", where)
    return provider


@pytest.mark.parametrize(
    ("env", "location", "url"),
    [
        ({}, "", "https://aiplatform.googleapis.com/v1"),
        ({}, "global", "https://aiplatform.googleapis.com/v1"),
        ({}, "europe-west1", "https://europe-west1-aiplatform.googleapis.com/v1"),
        ({}, "us", "https://aiplatform.us.rep.googleapis.com/v1"),
        ({}, "eu", "https://aiplatform.eu.rep.googleapis.com/v1"),
        ({"CLOUD_ML_REGION": "us-east5"}, "", "https://us-east5-aiplatform.googleapis.com/v1"),
    ],
)
def test_the_location_gives_the_address(env: dict[str, str], location: str, url: str) -> None:
    provider = Vertex(api_key=Secret("t"), project="p", location=location)
    assert bound(provider, env).status().base_url == url


def test_the_project_may_be_a_variable() -> None:
    env = {"GOOGLE_CLOUD_PROJECT": "second", "ANTHROPIC_VERTEX_PROJECT_ID": "first"}
    assert (
        bound(Vertex(api_key=Secret("t")), env)._parent_path == "/projects/first/locations/global"
    )


async def test_lists_of_models_are_not_had_here() -> None:
    assert await bound(Vertex(api_key=Secret("t"), project="p")).models(None) is None


def test_a_project_is_needed(tmp_path: Path) -> None:
    text = '[server]\ndiscover = false\n[providers.vertex]\napi_key = "t"\n'
    (fault,) = faults(tmp_path, text)
    assert "providers.vertex.project" in fault


def test_without_google_auth_a_token_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("google.auth", "google.auth.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    text = '[server]\ndiscover = false\n[providers.vertex]\nproject = "p"\n'
    (fault,) = faults(tmp_path, text)
    assert "interlingua[vertex]" in fault
    assert faults(tmp_path, text + 'api_key = "t"\n') == []


@pytest.mark.parametrize(
    ("model", "most"),
    [
        (MODEL, 64000), ("claude-opus-4@20250514", 32000), ("claude-opus-4-1@20250805", 32000),
        ("claude-3-5-haiku@20241022", 8192), ("claude-opus-4-8", 128000),
    ],
)  # fmt: skip
def test_a_models_capability_is_found_with_its_date(model: str, most: int) -> None:
    assert bound(Vertex(api_key=Secret("t"), project="p")).capability(model).max_output == most
