"""The store in memory: bounded by entries, bytes and time."""

import asyncio

import pytest

from gateway.store.memory import ENTRY_OVERHEAD, RELEASE_SLICE
from middleware.cache.key import CacheKey
from middleware.cache.store import MemoryCacheStore, RenderedAnswer

TTL = 10.0


class Clock:
    """A time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def key(name: str, tenant: bytes = b"t") -> CacheKey:
    return CacheKey(tenant, name.encode())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def memory(clock: Clock, entries: int = 3, size: int = 100_000) -> MemoryCacheStore:
    return MemoryCacheStore(TTL, entries, size, clock)


async def held(store: MemoryCacheStore, names: str) -> str:
    return "".join([name for name in names if await store.get(key(name)) is not None])


async def test_a_value_is_there_until_its_time_is_over(clock: Clock) -> None:
    store = memory(clock)
    store.put(key("a"), b"A")
    clock.now = TTL - 0.001
    assert await store.get(key("a")) == b"A"
    clock.now = TTL
    assert await store.get(key("a")) is None
    assert (await store.size(), store.used_bytes) == (0, 0)


async def test_what_was_told_lies_and_goes_with_its_value(clock: Clock) -> None:
    store, form = memory(clock, size=4 * ENTRY_OVERHEAD), ("chat", False, b"")
    store.put_rendered(key("a"), form, RenderedAnswer(b"x", []))
    assert store.get_rendered(key("a"), form) is None  # nothing is told of what is not there
    store.put(key("a"), b"A")
    store.put_rendered(key("a"), form, RenderedAnswer(b"x" * 10, ["w"]))
    assert store.get_rendered(key("a"), form) == RenderedAnswer(b"x" * 10, ["w"])
    assert store.get_rendered(key("a"), ("chat", True, b"")) is None
    assert store.used_bytes == 2 * ENTRY_OVERHEAD + 11
    store.put_rendered(
        key("a"), ("messages", False, b""), RenderedAnswer(b"x" * 2 * ENTRY_OVERHEAD, [])
    )
    assert store.get_rendered(key("a"), ("messages", False, b"")) is None  # no room
    clock.now = TTL
    assert store.get_rendered(key("a"), form) is None
    assert store.used_bytes == 0


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
    store = memory(clock, entries=100, size=3 * (ENTRY_OVERHEAD + 1000))
    for name in "abc":
        store.put(key(name), b"x" * 1000)
    assert store.used_bytes == 3 * (ENTRY_OVERHEAD + 1000)
    store.put(key("d"), b"x" * 1001)
    assert await held(store, "abcd") == "cd"
    store.put(key("c"), b"")
    assert store.used_bytes == ENTRY_OVERHEAD + ENTRY_OVERHEAD + 1001


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
    assert store.used_bytes == ENTRY_OVERHEAD + 1
    async with store.running():
        assert store.limit == 3


# --- nobody waits for a large store ---------------------------------------------------------------

MANY = 5 * RELEASE_SLICE + 1


def filled(clock: Clock, entries: int = 2 * MANY, size: int = 10**9) -> MemoryCacheStore:
    """One tenant's many entries of `OVERHEAD` bytes each, and one entry of another."""
    store = memory(clock, entries, size)
    store.put(key("a", b"other"), b"")
    for number in range(MANY):
        store.put(key(str(number)), b"")
    return store


async def freed(store: MemoryCacheStore) -> list[int]:
    """How many entries were let go of in each turn of the loop, until a turn with none."""
    turns, before = [1], store.used_bytes
    while turns[-1]:
        await asyncio.sleep(0)
        turns.append((before - store.used_bytes) // ENTRY_OVERHEAD)
        before = store.used_bytes
    return turns[1:]


async def test_a_clear_is_over_at_once_and_its_memory_follows_in_slices(clock: Clock) -> None:
    store = filled(clock)
    with pytest.raises(StopIteration, match=str(MANY)):
        store.clear(b"t").send(None)  # it takes no turn of the loop
    assert store.used_bytes == (MANY + 1 - RELEASE_SLICE) * ENTRY_OVERHEAD
    assert (await store.size(), await store.get(key("0"))) == (1, None)
    assert await store.get(key(str(MANY - 1))) is None
    assert await freed(store) == [*[RELEASE_SLICE] * 4, 1, 0]
    assert await store.get(key("a", b"other")) == b""


async def test_what_is_kept_while_a_clear_goes_on_stays(clock: Clock) -> None:
    store = filled(clock)
    await store.clear(b"t")
    store.put(key("0"), b"new")
    await asyncio.sleep(0)
    store.put(key("1"), b"new")
    assert (await store.clear(b"nobody"), await store.size()) == (0, 3)
    assert sum(await freed(store)) == MANY - 2 * RELEASE_SLICE
    assert (await store.get(key("0")), await store.get(key("1"))) == (b"new", b"new")
    assert (await store.size(), store.used_bytes) == (3, 3 * ENTRY_OVERHEAD + 6)
    assert await store.clear(b"t") == 2


async def test_two_clears_at_a_time_share_the_slices(clock: Clock) -> None:
    store = filled(clock)
    assert await store.clear(b"t") == MANY
    assert await store.clear(b"other") == 1
    assert await freed(store) == [*[RELEASE_SLICE] * 4, 2, 0]


@pytest.mark.parametrize("size", [10**9, (MANY + 1) * ENTRY_OVERHEAD])
async def test_what_was_cleared_makes_room_before_what_is_in_use(clock: Clock, size: int) -> None:
    store = filled(clock, entries=MANY + 1, size=size)
    await store.clear(b"t")
    for number in range(MANY):
        store.put(key(str(number), b"new"), b"")
    assert await store.get(key("a", b"other")) == b""  # though nothing is older
    assert (await store.size(), store.used_bytes) == (MANY + 1, (MANY + 1) * ENTRY_OVERHEAD)
    assert await freed(store) == [0]
    store.put(key("x", b"new"), b"")
    assert await store.get(key("0", b"new")) is None


async def test_a_cleanup_goes_on_in_slices_beside_other_calls(clock: Clock) -> None:
    store = filled(clock)
    clock.now = TTL
    store.put(key("fresh"), b"")
    cleanup = asyncio.ensure_future(store.cleanup())
    turns = await freed(store)
    assert max(turns) == RELEASE_SLICE
    assert await cleanup == (MANY + 1, 1)
    assert store.used_bytes == ENTRY_OVERHEAD


async def test_a_cleanup_finds_what_expired_behind_what_was_used_before_it(clock: Clock) -> None:
    store = memory(clock)
    store.put(key("a"), b"-")
    clock.now = 5
    store.put(key("b"), b"-")
    await store.get(key("a"))  # used last, and no younger for it
    clock.now = TTL
    assert await store.cleanup() == (1, 1)
    assert await held(store, "ab") == "b"


async def test_a_cleanup_takes_no_turn_where_nothing_has_expired(clock: Clock) -> None:
    with pytest.raises(StopIteration, match=rf"\(0, {MANY + 1}\)"):
        filled(clock).cleanup().send(None)


async def test_a_cleanup_counts_only_what_it_removed_itself(clock: Clock) -> None:
    store = filled(clock)
    clock.now = TTL
    cleanup = asyncio.ensure_future(store.cleanup())
    await asyncio.sleep(0)
    gone = MANY + 1 - await store.size()
    assert 0 < gone <= RELEASE_SLICE
    assert await store.get(key(str(MANY - 1))) is None  # met by a call
    store.put(key("fresh"), b"")
    rest = await store.size() - 1
    assert await cleanup == (gone + rest, 1)


async def test_a_tenant_cleared_during_a_cleanup_is_counted_once(clock: Clock) -> None:
    store = filled(clock)
    clock.now = TTL
    cleanup = asyncio.ensure_future(store.cleanup())
    await asyncio.sleep(0)
    cleared = await store.clear(b"t")
    removed, left = await cleanup
    assert (cleared + removed, left) == (MANY + 1, 0)
    await freed(store)
    assert store.used_bytes == 0
