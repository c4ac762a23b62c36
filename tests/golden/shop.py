"""A gateway in this process with a provider of every kind the golden cases need."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from gateway.app import build
from gateway.errors import GatewayError
from gateway.wire.sse import Splitter
from providers.transport.engine import Response
from providers.transport.provider import HttpProvider
from tests.configs import loaded
from tests.fakes.asgi import AsgiTestRequest
from tests.faults.engines import Chunks, answer, streamed
from tests.pairs.house import CONFIG, Played

KINDS = (
    "openai", "deepseek", "openrouter", "vllm", "ollama", "mistral", "moonshot", "groq", "zai",
    "xai", "azure", "gemini-openai", "anthropic", "compatible",
)  # fmt: skip
PROVIDER = """
[providers.{kind}]
use = "compatible"
base_url = "http://127.0.0.1:1/v1"
family = "{kind}"
speaks = ["{speaks}"]
"""
PATHS = {"A": "/v1/messages", "O": "/v1/chat/completions", "R": "/v1/responses"}
"""A Messages, a Chat and a Responses client."""
Json = dict[str, Any]


class ClientAnswer:
    """What a client was told."""

    def __init__(self, driven: AsgiTestRequest) -> None:
        self.status = driven.status
        self.headers = driven.headers
        self.body = driven.body

    @property
    def json(self) -> Any:
        """The whole answer."""
        return msgspec.json.decode(self.body)

    @property
    def warnings(self) -> str:
        """What could not be carried."""
        return self.headers.get("x-gateway-warnings", "")

    @property
    def events(self) -> list[Any]:
        """The data of every event; `[DONE]` as it is."""
        splitter = Splitter()
        frames = [*splitter.feed(self.body), *splitter.finish()]
        return [
            "[DONE]" if frame.data == b"[DONE]" else msgspec.json.decode(frame.data)
            for frame in frames
        ]

    @property
    def types(self) -> list[str]:
        """The types of all events of a Messages or Responses stream, without pings."""
        return [event["type"] for event in self.events if event["type"] != "ping"]

    @property
    def deltas(self) -> list[Json]:
        """The deltas of all chunks of a Chat stream, without empty ones."""
        chunks = [event for event in self.events if event != "[DONE]"]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
        return [delta for delta in deltas if delta]


GEMINI = """
[providers.gemini]
base_url = "http://127.0.0.1:1/v1beta"
"""


class Shop:
    """The gateway, and what reached its upstreams."""

    def __init__(self) -> None:
        config = CONFIG + GEMINI
        for kind in KINDS:
            speaks = "messages" if kind == "anthropic" else "chat"
            config += PROVIDER.format(kind=kind, speaks=speaks)
            if kind == "vllm":  # stands for the servers that repeat what clients join
                config += "capabilities = { recode = true }\n"
        with tempfile.TemporaryDirectory() as folder:
            self._app = build(loaded(Path(folder), config))
        self._engines: dict[str, Played] = {}
        for name, provider in self._app.state.runtime.providers.items():
            if isinstance(provider, HttpProvider):
                self._engines[name] = provider._engine = Played()
        self.sent: Json = {}
        """The body of the last request that reached an upstream."""
        self.raw = b""
        """The same as its bytes."""
        self.source = Chunks()
        """The last upstream's bytes, to see whether they were let go."""

    async def ask(
        self, client: str, model: str, answered: Response | GatewayError, **members: Any
    ) -> ClientAnswer:
        """What a client of one dialect is told when it asks a model with these members."""
        body: Json = {"model": model} | members
        if client == "A":
            body = {"max_tokens": 1000} | body
        if client == "R" and "input" not in body:
            body["input"] = "hello"
        if client != "R" and "messages" not in body:
            body["messages"] = [{"role": "user", "content": "hello"}]
        return await self.post(client, model, msgspec.json.encode(body), answered)

    async def post(
        self, client: str, model: str, body: bytes, answered: Response | GatewayError
    ) -> ClientAnswer:
        """The same for a body of any bytes."""
        engine = self._engines[model.partition(":")[0]]
        engine.next = answered
        engine.sent.clear()
        version = [(b"anthropic-version", b"2023-06-01")]
        driven = AsgiTestRequest(self._app, body, path=PATHS[client], headers=version)
        await driven.start().wait_done()
        assert driven.is_complete
        if isinstance(answered, Response) and isinstance(answered.body, Chunks):
            self.source = answered.body
        self.raw = engine.sent[0].body if engine.sent else b""
        try:
            self.sent = msgspec.json.decode(self.raw)
        except msgspec.DecodeError:
            self.sent = {}
        return ClientAnswer(driven)


def whole(value: object, status: int = 200) -> Response:
    """A whole answer."""
    return answer(value if isinstance(value, bytes) else msgspec.json.encode(value), status)


def stream(*frames: bytes) -> Response:
    """A stream of these events."""
    return streamed(*frames)
