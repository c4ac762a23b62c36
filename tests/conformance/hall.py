"""Where the matrix runs: one gateway, one scripted upstream, one connection, one call at a time."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.conformance.table import SPEAKS, Dialect
from tests.fakes.client import RawClient
from tests.fakes.running import run_gateway
from tests.fakes.steps import Json, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.wires import Answer, received

CONFIG = """
[server]
seal_key = "a-key-for-the-tests-that-seals-reasoning"
discover = false
[batch]
engine = "embedded"
folder = "{folder}"
"""
PROVIDER = """
[providers.{name}]
api_key = "upstream-key-{name}"
base_url = "{url}/{name}/v1"
"""
VERSION = ("anthropic-version", "2023-06-01")


class Missing(Exception):
    """The build has not got what an item needs."""


class ConformanceGateway:
    """The gateway, and what the upstream answers next."""

    def __init__(self) -> None:
        self.upstream = ScriptedUpstream(select=lambda _: self.script)
        self.script: Script = Json()
        self.compatibility: set[bytes | None] = set()
        """Every value of the header that tells the counts."""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        await self._open.enter_async_context(self.upstream)
        config = CONFIG.format(folder=folder)
        config += "".join(PROVIDER.format(name=n, url=self.upstream.url) for n in SPEAKS)
        running = await self._open.enter_async_context(run_gateway(folder, config))
        self._client = await self._open.enter_async_context(RawClient(running.port))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def post(self, path: str, body: object, client: Dialect) -> Answer:
        """What the gateway answers; the upstream's list of requests begins with it."""
        self.upstream.requests.clear()
        await self._client.post(path, msgspec.json.encode(body), VERSION)
        answer = await received(self._client, client)
        self.compatibility.add(answer.headers.get(b"x-api-compatibility"))
        return answer

    async def get(self, path: str) -> Answer:
        """The answer of an endpoint that takes no body."""
        await self._client.get(path, VERSION)
        return await received(self._client, "messages")

    async def delete(self, path: str) -> Answer:
        """The answer to a removal."""
        await self._client.send(f"DELETE {path} HTTP/1.1\r\nhost: gateway\r\n\r\n".encode())
        return await received(self._client, "messages")
