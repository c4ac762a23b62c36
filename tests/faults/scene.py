"""A gateway in its own process before a scripted upstream; the model's name picks the script."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.running import GatewayProcess, run_gateway
from tests.fakes.steps import Json, ReceivedRequest, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.wires import Answer, Dialect, ask

_MODEL = re.compile(rb'"model":"([^"]*)"')  # some bodies here cannot be decoded
_IN_PATH = re.compile(r"/models/([^:]*):")


def model_of(request: ReceivedRequest) -> str:
    """The model that a request of an upstream names."""
    if named := _IN_PATH.search(request.path):
        return named[1]
    found = _MODEL.search(request.body)
    return found[1].decode() if found else ""


@dataclass
class FaultGateway:
    """A gateway with a provider of each dialect, all of them the scripted upstream."""

    gateway: GatewayProcess
    upstream: ScriptedUpstream
    scripts: dict[str, Script] = field(default_factory=dict)
    made: int = 0

    def play(self, script: Script) -> str:
        """Makes a model that the upstream answers so."""
        self.made += 1
        model = f"model-{self.made}"
        self.scripts[model] = script
        return model

    def asked(self, model: str) -> list[ReceivedRequest]:
        """The requests of that model that reached the upstream."""
        return [request for request in self.upstream.requests if model_of(request) == model]

    async def ask(
        self, script: Script, client: Dialect, upstream: Dialect, *, stream: bool = False,
        seconds: float = 5.0,
    ) -> Answer:  # fmt: skip
        """What a client of one dialect gets where the upstream of another answers so."""
        model = f"{upstream}:{self.play(script)}"
        return await ask(self.gateway.port, client, model, stream=stream, seconds=seconds)


PROVIDERS = """
[providers.chat]
use = "compatible"
base_url = "{url}/v1"
api_key = "sk-upstream-of-chat-1234"

[providers.messages]
use = "compatible"
base_url = "{url}/v1"
speaks = ["messages"]
auth = "x-api-key"
api_key = "sk-upstream-of-messages-1234"

[providers.responses]
use = "compatible"
base_url = "{url}/v1"
speaks = ["responses"]
api_key = "sk-upstream-of-responses-1234"
[providers.gemini]
base_url = "{url}/v1beta"
api_key = "sk-upstream-of-gemini-1234"
"""
CHAIN = """
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
{fallback}
[[middleware]]
use = "convert"
"""
ONCE = "attempts = 1"


@asynccontextmanager
async def scene(
    folder: Path, options: str = "", *, fallback: str = ONCE, providers: str = PROVIDERS,
    send_buffer: int | None = None, env: dict[str, str] | None = None,
) -> AsyncIterator[FaultGateway]:  # fmt: skip
    """A scene with those options; `{url}` in them is the upstream's."""
    scripts: dict[str, Script] = {}

    def select(request: ReceivedRequest) -> Script:
        return scripts.get(model_of(request), Json({"unscripted": True}, 500))

    folder.mkdir(parents=True, exist_ok=True)
    async with ScriptedUpstream(select=select, seconds=60, send_buffer=send_buffer) as upstream:
        config = options + CHAIN.replace("{fallback}", fallback) + providers
        config = config.replace("{url}", upstream.url)
        async with run_gateway(folder, config, env) as running:
            yield FaultGateway(running, upstream, scripts)
