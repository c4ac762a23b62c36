"""The gateway between nginx and a scripted upstream, for tests that call it through real clients.

The processes and the upstream live in an event loop of a thread of its own, so that one of each
serves every test and the clients may block.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.fakes.running import GatewayProcess, free_port, run_gateway, run_nginx
from tests.fakes.upstream import ClosedConnection, ReceivedRequest, Script, ScriptedUpstream

GATEWAY_KEY = "gw-key-of-the-tests"
CONFIG = """
[server]
seal_key = "a-key-for-the-tests-that-seals-reasoning"
discover = false

[auth]
keys = [{{ name = "tests", key = "{key}" }}]

[log]
format = "json"

[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "history"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"

[aliases]
nickname = "chat:real-name"
shorthand = "messages:real-name"

[providers.openai]
api_key = "upstream-key-openai"
base_url = "{upstream}/openai/v1"
organization = "org-1"

[providers.anthropic]
api_key = "upstream-key-anthropic"
base_url = "{upstream}/anthropic/v1"

[providers.gemini]
api_key = "upstream-key-gemini"
base_url = "{upstream}/gemini/v1beta"
defaults = {{ safetySettings = [{{ category = "HARM_CATEGORY_HARASSMENT", threshold = "OFF" }}] }}

[providers.gemini-own]
use = "gemini"
api_key = "!PASSTHRU"
base_url = "{upstream}/gemini/v1beta"

[providers.azure]
api_key = "upstream-key-azure"
base_url = "{upstream}/azure/openai"
api_version = "2024-10-21"

[providers.gone]
use = "compatible"
api_key = "upstream-key-gone"
base_url = "http://127.0.0.1:{closed}/v1"
"""
PROVIDER = """
[providers.{name}]
use = "compatible"
api_key = "{key}"
base_url = "{upstream}/{name}/v1"
family = "{family}"
speaks = ["{speaks}"]
timeouts = {{ first_byte = {first_byte}, idle = {idle} }}
"""


class Provider(msgspec.Struct, frozen=True):
    """A provider of the gateway's, as it is configured."""

    name: str
    speaks: str
    family: str = "compatible"
    first_byte: float = 20
    idle: float = 20
    passes_keys: bool = False


PROVIDERS = [
    Provider("chat", "chat"),
    Provider("details", "chat", family="openrouter"),
    Provider("chat-other", "chat", family="openrouter"),
    Provider("chat-limited", "chat"),
    Provider("chat-paused", "chat"),
    Provider("chat-slow", "chat", first_byte=0.3, idle=0.3),
    Provider("chat-own", "chat", passes_keys=True),
    Provider("messages", "messages", family="anthropic"),
    Provider("messages-other", "messages", family="anthropic"),
    Provider("messages-limited", "messages", family="anthropic"),
    Provider("messages-paused", "messages", family="anthropic"),
    Provider("messages-slow", "messages", family="anthropic", first_byte=0.3, idle=0.3),
    Provider("messages-own", "messages", family="anthropic", passes_keys=True),
    Provider("responses", "responses", family="openai"),
]


class SdkGateway:
    """What a test plays on: scripts for the upstream, and what it received."""

    def __init__(self) -> None:
        self.url = ""
        """nginx, as a client sees it."""
        self.key = GATEWAY_KEY
        self._scripts: list[Script] = []
        self._loop = asyncio.new_event_loop()
        self._upstream = ScriptedUpstream(select=lambda _: self._next())
        self._gateway: GatewayProcess | None = None

    def _next(self) -> Script:
        return self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]

    def play(self, *scripts: Script) -> None:
        """The answers to the next requests, the last of them to all that follow."""
        self._scripts = list(scripts)
        self._upstream.requests.clear()
        self._upstream.closed_connections.clear()

    @property
    def requests(self) -> list[ReceivedRequest]:
        """What the upstream received since `play`."""
        return self._upstream.requests

    @property
    def log(self) -> str:
        """What the gateway logged."""
        assert self._gateway is not None
        return self._gateway.log

    def received(self) -> ReceivedRequest:
        """The one request that the upstream received."""
        assert len(self.requests) == 1, [request.path for request in self.requests]
        return self.requests[0]

    def arrived(self, seconds: float = 2.0) -> ReceivedRequest:
        """The first request since `play`; waits for it."""
        deadline = time.monotonic() + seconds
        while not self.requests:
            assert time.monotonic() < deadline, "no request reached the upstream"
            time.sleep(0.005)
        return self.requests[0]

    def body(self) -> Any:
        """The body of that one request."""
        return msgspec.json.decode(self.received().body)

    def head(self) -> tuple[str, str, dict[bytes, bytes]]:
        """Method, path and headers of that one request, without the address and the length."""
        request = self.received()
        names = [name for name, _ in request.headers]
        assert len(names) == len(set(names)), names
        assert request.get_header(b"host") == self._upstream.url.removeprefix("http://").encode()
        assert request.get_header(b"content-length") == b"%d" % len(request.body)
        kept = {k: v for k, v in request.headers if k not in (b"host", b"content-length")}
        return request.method, request.path, kept

    def closed(self, seconds: float = 2.0) -> ClosedConnection:
        """The first connection that ended since `play`; waits for it."""
        deadline = time.monotonic() + seconds
        while not self._upstream.closed_connections:
            assert time.monotonic() < deadline, "no connection to the upstream was closed"
            time.sleep(0.005)
        return self._upstream.closed_connections[0]

    @contextmanager
    def open(self) -> Iterator["SdkGateway"]:
        """The stage, with everything on it, until it is left."""
        ready: Future[None] = Future()
        left = asyncio.Event()
        thread = threading.Thread(target=self._serve, args=(ready, left), name="stage")
        thread.start()
        ready.result(25)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(left.set)
            thread.join(25)
            assert not thread.is_alive()

    def _serve(self, ready: "Future[None]", left: asyncio.Event) -> None:
        try:
            self._loop.run_until_complete(self._stand(ready, left))
        except BaseException as fault:
            if ready.done():
                raise
            ready.set_exception(fault)
        finally:
            self._loop.close()

    async def _stand(self, ready: "Future[None]", left: asyncio.Event) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # nginx's workers may be of another user than its master
            async with (
                self._upstream,
                run_gateway(Path(folder), config(self._upstream.url)) as running,
                run_nginx(Path(folder), running.port) as url,
            ):
                self._gateway, self.url = running, url
                ready.set_result(None)
                await left.wait()


def config(upstream: str) -> str:
    """The configuration of the gateway before that upstream."""
    head = CONFIG.format(key=GATEWAY_KEY, upstream=upstream, closed=free_port())
    for provider in PROVIDERS:
        key = "!PASSTHRU" if provider.passes_keys else f"upstream-key-{provider.name}"
        head += PROVIDER.format(upstream=upstream, key=key, **msgspec.structs.asdict(provider))
    return head
