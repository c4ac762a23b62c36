"""New connections to hosts with several addresses."""

import asyncio
import socket

import pytest

from gateway.config.schema import Timeouts
from gateway.errors import Unreachable
from providers.transport import dial as dialling
from providers.transport.engine import Request
from providers.transport.engine_choice import make_engine
from tests.fakes.upstream import ScriptedUpstream


def resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name stands for these addresses."""

    async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_next_address_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream() as up:
        resolves(monkeypatch, "::1", "127.0.0.2", "127.0.0.1")
        made = make_engine(f"http://many.example:{up.port}")
        response = await made.send(Request(b"/"), Timeouts())
        assert await response.body.read() == b"{}"
        assert up.requests[0].get_header(b"host") == f"many.example:{up.port}".encode()
        await made.aclose()


async def test_next_address_while_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream() as up:
        resolves(monkeypatch, "127.0.0.3", "127.0.0.1")
        monkeypatch.setattr(dialling, "_ATTEMPT_DELAY", 0.02)
        connect, left = dialling._connect_address, []

        async def silent(address: str, *rest: object) -> object:
            if address == "127.0.0.3":
                try:
                    await asyncio.sleep(60)
                finally:
                    left.append(address)
            return await connect(address, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(dialling, "_connect_address", silent)
        made = make_engine(f"http://many.example:{up.port}")
        response = await made.send(Request(b"/"), Timeouts())
        assert await response.body.read() == b"{}"
        assert left == ["127.0.0.3"]
        assert made.stats().open == 1
        await made.aclose()


async def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    resolves(monkeypatch, "127.0.0.1", "127.0.0.2")
    made = make_engine(f"http://many.example:{port}")
    with pytest.raises(Unreachable, match=f"cannot connect to many.example:{port}: "):
        await made.send(Request(b"/"), Timeouts())
    assert made.stats().open == 0
    await made.aclose()


def test_families_take_turns() -> None:
    assert dialling._interleave_families(["::1", "::2", "1.1.1.1"]) == ["::1", "1.1.1.1", "::2"]
    assert dialling._interleave_families(["1.1.1.1", "::1"]) == ["1.1.1.1", "::1"]
