import asyncio
import threading

import pytest

from gateway.errors import Unavailable
from providers.transport.credential_cache import CredentialCache, CredentialLease

Fetched = tuple[str, float, float]


class Mint:
    """Gives one credential after another, or a fault; a gate holds it up."""

    def __init__(self, *leases: Fetched | Exception) -> None:
        self._leases = list(leases)
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[bool] = []
        self.thread: int | None = None

    def __call__(self, refused: bool) -> CredentialLease[str]:
        self.asked.append(refused)
        self.thread = threading.get_ident()
        assert self.gate.wait(10)
        lease = self._leases.pop(0)
        if isinstance(lease, Exception):
            raise lease
        return CredentialLease(*lease)


async def settled(renewed: CredentialCache[str]) -> None:
    """Waits until the look under way is over and its outcome is kept."""
    looking = renewed._pending_fetch
    assert looking is not None
    await asyncio.wait([looking])
    assert renewed._pending_fetch is None


async def test_many_calls_share_one_look_and_it_is_in_a_thread() -> None:
    mint = Mint(("a", 100, 100))
    renewed = CredentialCache(mint)
    assert set(await asyncio.gather(*(renewed.get_credential() for _ in range(50)))) == {"a"}
    assert await renewed.get_credential() == "a"
    assert mint.asked == [False]
    assert mint.thread != threading.get_ident()


async def test_a_fresh_one_is_sought_while_the_old_one_serves() -> None:
    mint = Mint(("a", 0, 100), ("b", 100, 100))
    renewed = CredentialCache(mint)
    assert await renewed.get_credential() == "a"
    mint.gate.clear()
    assert [await renewed.get_credential() for _ in range(5)] == ["a"] * 5
    mint.gate.set()
    await settled(renewed)
    assert await renewed.get_credential() == "b"
    assert mint.asked == [False, False]


async def test_one_that_may_not_be_used_is_waited_for() -> None:
    mint = Mint(("a", 0, 0), ("b", 100, 100))
    renewed = CredentialCache(mint)
    assert await renewed.get_credential() == "a"
    assert await renewed.get_credential() == "b"


async def test_a_failed_look_leaves_the_old_one_in_place_for_a_while() -> None:
    mint = Mint(("a", 0, 100), Unavailable("down"), ("b", 100, 100))
    renewed = CredentialCache(mint)
    assert await renewed.get_credential() == "a"
    assert await renewed.get_credential() == "a"
    await settled(renewed)
    assert [await renewed.get_credential() for _ in range(5)] == ["a"] * 5
    assert len(mint.asked) == 2


async def test_without_one_every_caller_hears_why_and_the_next_asks_again() -> None:
    mint = Mint(Unavailable("down"), ("a", 100, 100))
    renewed = CredentialCache(mint)
    faults = await asyncio.gather(
        *(renewed.get_credential() for _ in range(3)), return_exceptions=True
    )
    assert [str(fault) for fault in faults] == ["down"] * 3
    assert await renewed.get_credential() == "a"
    assert len(mint.asked) == 2


async def test_a_refused_one_is_replaced_once_for_all() -> None:
    mint = Mint(("a", 100, 100), ("b", 100, 100))
    renewed = CredentialCache(mint)
    first = await renewed.get_credential()
    found = await asyncio.gather(*(renewed.get_credential(first) for _ in range(10)))
    assert set(found) == {"b"}
    assert await renewed.get_credential(first) == "b"  # a straggler with the old one
    assert mint.asked == [False, True]


async def test_a_caller_that_leaves_does_not_end_the_look_of_the_others() -> None:
    mint = Mint(("a", 100, 100))
    mint.gate.clear()
    renewed = CredentialCache(mint)
    leaving, staying = (asyncio.ensure_future(renewed.get_credential()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    mint.gate.set()
    assert await staying == "a"
    assert mint.asked == [False]
