"""The store in memory: bounded by entries, bytes and time."""

import pytest

from middleware.cache.key import Key
from middleware.cache.store import OVERHEAD, Memory, Told

TTL = 10.0


class Clock:
    """A time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def key(name: str, tenant: bytes = b"t") -> Key:
    return Key(tenant, name.encode())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def memory(clock: Clock, entries: int = 3, size: int = 100_000) -> Memory:
    return Memory(TTL, entries, size, clock)


async def held(store: Memory, names: str) -> str:
    return "".join([name for name in names if await store.get(key(name)) is not None])


async def test_a_value_is_there_until_its_time_is_over(clock: Clock) -> None:
    store = memory(clock)
    store.put(key("a"), b"A")
    clock.now = TTL - 0.001
    assert await store.get(key("a")) == b"A"
    clock.now = TTL
    assert await store.get(key("a")) is None
    assert (await store.size(), store.used) == (0, 0)


async def test_what_was_told_lies_and_goes_with_its_value(clock: Clock) -> None:
    store, form = memory(clock, size=4 * OVERHEAD), ("chat", False, b"")
    store.tell(key("a"), form, Told(b"x", []))
    assert store.told(key("a"), form) is None  # nothing is told of what is not there
    store.put(key("a"), b"A")
    store.tell(key("a"), form, Told(b"x" * 10, ["w"]))
    assert store.told(key("a"), form) == Told(b"x" * 10, ["w"])
    assert store.told(key("a"), ("chat", True, b"")) is None
    assert store.used == 2 * OVERHEAD + 11
    store.tell(key("a"), ("messages", False, b""), Told(b"x" * 2 * OVERHEAD, []))
    assert store.told(key("a"), ("messages", False, b"")) is None  # no room
    clock.now = TTL
    assert store.told(key("a"), form) is None
    assert store.used == 0


async def test_what_was_not_used_for_longest_goes_first(clock: Clock) -> None:
    store = memory(clock)
    for name in "abc":
        store.put(key(name), b"-")
    await store.get(key("a"))
    store.put(key("d"), b"-")
    assert await held(store, "abcd") == "acd"
    store.put(key("c"), b"+")  # written again is used too, and takes no second place
    store.put(key("e"), b"-")
    assert await held(store, "abcde") == "cde"


async def test_bytes_are_bounded_too_and_given_back(clock: Clock) -> None:
    store = memory(clock, entries=100, size=3 * (OVERHEAD + 1000))
    for name in "abc":
        store.put(key(name), b"x" * 1000)
    assert store.used == 3 * (OVERHEAD + 1000)
    store.put(key("d"), b"x" * 1001)
    assert await held(store, "abcd") == "cd"
    store.put(key("c"), b"")
    assert store.used == OVERHEAD + OVERHEAD + 1001


async def test_a_value_over_the_limit_is_not_kept_and_pushes_nothing_out(clock: Clock) -> None:
    store = memory(clock, size=1000)
    store.put(key("a"), b"-")
    store.put(key("b"), b"x" * 1000)
    assert await held(store, "ab") == "a"
    store.put(key("a"), b"x" * 1000)
    assert await held(store, "ab") == ""  # the old value of that key is out of date


async def test_cleanup_removes_what_has_expired_and_only_that(clock: Clock) -> None:
    store = memory(clock)
    store.put(key("a"), b"-")
    clock.now = 5
    store.put(key("b"), b"-")
    clock.now = 12
    assert await store.cleanup() == (1, 1)
    assert await held(store, "ab") == "b"


async def test_clear_removes_a_tenants_own(clock: Clock) -> None:
    store = memory(clock)
    store.put(key("a"), b"-")
    store.put(key("b"), b"-")
    store.put(key("b", b"other"), b"-")
    assert await store.clear(b"t") == 2
    assert await store.get(key("b", b"other")) == b"-"
    assert store.used == OVERHEAD + 1
    async with store.running():
        assert store.limit == 3
