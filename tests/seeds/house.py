"""Three running gateways, each set up as an operator of a reference's system would have it.

`openrouter` has a config.toml and no client key; `vandamme` is made by variables of the
environment, with a client key; `passthru` forwards the clients' own keys.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
import msgspec

from tests.admin.house import OPENAI, POE
from tests.fakes.running import GatewayProcess, run_gateway
from tests.fakes.steps import SSE, Json, ReceivedRequest, Script, Stall
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.wires import delta, opening, stream, whole

System = Literal["openrouter", "vandamme", "passthru"]
KEY = "your-api-key"
TEXT = "Hello! How can I help you?"
PAGE = "https://chat.example.com"

CHAIN = """
[[middleware]]
use = "auth"
[[middleware]]
use = "batch"
[[middleware]]
use = "alias"
[[middleware]]
use = "cache"
{cache}
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""
SLOW = """
[providers.slow]
use = "compatible"
base_url = "{url}/slow/v1"
api_key = "sk-slow"
timeouts = {{ first_byte = 0.4, idle = 0.4 }}
[providers.gone]
use = "compatible"
base_url = "http://127.0.0.1:1/v1"
api_key = "sk-gone"
"""
ANY_PAGE = '[server]\ncors_origins = ["*"]\n'
OPENROUTER = """
[server]
cors_origins = ["https://chat.example.com"]
[routing]
default_provider = "openrouter"
[providers.openrouter]
api_key = "sk-or"
base_url = "{url}/openrouter/v1"
[providers.openai]
api_key = "sk-openai"
base_url = "{url}/openai/v1"
[providers.claude]
use = "compatible"
base_url = "{url}/claude/v1"
speaks = ["messages"]
auth = "x-api-key"
api_key = "sk-claude"
"""
EXTENSIONS = {
    "OPENROUTER_MIN_P": "0.01",
    "OPENROUTER_TOP_A": "0.1",
    "OPENROUTER_REPETITION_PENALTY": "1.1",
    "OPENROUTER_PROVIDER": "anthropic",
    "OPENAI_FREQUENCY_PENALTY": "0.1",
    "OPENAI_PRESENCE_PENALTY": "0.1",
    "OPENAI_SEED": "12345",
    "OPENAI_USER": "user_123",
}
"""Both blocks of variables of the one reference, as they are written there."""
VANDAMME = {
    "PROXY_API_KEY": KEY,
    "OPENAI_API_KEY": "sk-openai",
    "OPENAI_BASE_URL": "{url}/openai/v1",
    "OPENAI_ALIAS_FAST": "gpt-4o-mini",
    "POE_API_KEY": "sk-poe",
    "POE_BASE_URL": "{url}/poe/v1",
    "POE_ALIAS_HAIKU": "gpt-4o-mini",
    "POE_ALIAS_SONNET": "gpt-4o",
    "ANTHROPIC_API_KEY": "sk-anthropic",
    "ANTHROPIC_BASE_URL": "{url}/anthropic",
    "VDM_DEFAULT_PROVIDER": "openai",
}
PASSTHRU = {"OPENAI_API_KEY": "!PASSTHRU", "OPENAI_BASE_URL": "{url}/openai/v1"}


def upstream_of(request: ReceivedRequest) -> Script:
    """What the upstreams of all three answer; a model that is a number is that status."""
    if request.method == "GET":
        return Json(POE if "/poe/" in request.path else OPENAI)
    body = msgspec.json.decode(request.body)
    dialect: Any = "chat" if request.path.endswith("/completions") else "messages"
    if "/slow/" in request.path:
        told = [*opening(dialect), delta(dialect, "Hel")]
        return [SSE(told, end=False), Stall()] if body.get("stream") else Stall()
    if request.path.endswith("/count_tokens"):
        return Json({"input_tokens": 9})
    if body["model"].isdigit():
        words = {"message": "no", "type": "server_error", "param": None, "code": None}
        return Json({"error": words}, int(body["model"]))
    if body.get("stream"):
        return SSE(stream(dialect, "I can see", " it"))
    answer: dict[str, Any] = msgspec.json.decode(whole(dialect, TEXT)) | {"model": body["model"]}
    if dialect == "messages":
        answer["usage"] |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return Json(answer)


@dataclass
class Houses:
    """The gateways by the system each stands for, and the upstream behind them all."""

    gateways: dict[System, GatewayProcess]
    upstream: ScriptedUpstream
    client: httpx2.AsyncClient

    async def send(
        self, system: System, method: str, path: str, body: object, headers: dict[str, str]
    ) -> httpx2.Response:
        """One request as a client of that system sends it."""
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers = {"content-type": "application/json"} | headers
        url = self.gateways[system].url + path
        return await self.client.request(method, url, content=content, headers=headers)

    def last(self, place: str) -> dict[str, Any]:
        """The last call that reached the upstream under that part of its path."""
        bodies = [each.body for each in self.upstream.requests if f"/{place}/" in each.path]
        found: dict[str, Any] = msgspec.json.decode([body for body in bodies if body][-1])
        return found


@asynccontextmanager
async def houses(folder: Path) -> AsyncIterator[Houses]:
    """All three, running."""
    async with AsyncExitStack() as stack:
        upstream = ScriptedUpstream(select=upstream_of, seconds=60)
        await stack.enter_async_context(upstream)
        memory = CHAIN.format(cache="")
        broken = CHAIN.format(cache='store = "redis://127.0.0.1:1"')
        slow = SLOW.format(url=upstream.url)
        known: dict[System, tuple[str, dict[str, str]]] = {
            "openrouter": (OPENROUTER.replace("{url}", upstream.url) + slow + memory, EXTENSIONS),
            "vandamme": (slow + memory, VANDAMME),
            "passthru": (ANY_PAGE + broken, PASSTHRU),
        }
        running: dict[System, GatewayProcess] = {}
        for system, (config, variables) in known.items():
            place = folder / system
            place.mkdir()
            env = {name: text.replace("{url}", upstream.url) for name, text in variables.items()}
            running[system] = await stack.enter_async_context(run_gateway(place, config, env))
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=10))
        yield Houses(running, upstream, client)
