import asyncio

import pytest

from gateway.fanout.limiter import LOOK, Limiter


class Room:
    """A number of slots that a test changes."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.limiter = Limiter(lambda: self.slots)
        self.view: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def use(self, name: str) -> None:
        gate = self.gates.setdefault(name, asyncio.Event())
        async with self.limiter:
            self.view.append(name)
            await gate.wait()
            self.view.remove(name)

    async def users(self, names: str) -> dict[str, "asyncio.Task[None]"]:
        """A task for each name, as far as they get."""
        loop = asyncio.get_running_loop()
        tasks = {name: loop.create_task(self.use(name)) for name in names}
        await asyncio.sleep(0)
        return tasks

    async def leave(self, names: str) -> None:
        for name in names:
            self.gates[name].set()
        for _ in range(3):
            await asyncio.sleep(0)


async def test_the_first_come_first() -> None:
    room = Room(2)
    tasks = await room.users("abcd")
    assert (room.view, room.limiter.waiting) == (["a", "b"], 2)
    await room.leave("b")
    assert room.view == ["a", "c"]
    await room.leave("acd")
    await asyncio.gather(*tasks.values())
    assert (room.limiter.taken, room.limiter.waiting) == (0, 0)


async def test_when_the_room_shrinks_the_next_ones_wait() -> None:
    room = Room(3)
    tasks = await room.users("abcd")
    room.slots = 1
    await room.leave("a")
    assert room.view == ["b", "c"]
    await room.leave("b")
    assert room.view == ["c"]
    await room.leave("c")
    assert room.view == ["d"]
    await room.leave("d")
    await asyncio.gather(*tasks.values())


async def test_when_the_room_grows_those_who_wait_get_in_by_themselves() -> None:
    room = Room(1)
    tasks = await room.users("abcd")
    await asyncio.sleep(LOOK * 2)
    assert room.view == ["a"]
    room.slots = 3
    await asyncio.sleep(LOOK * 2)
    assert room.view == ["a", "b", "c"]
    await room.leave("abcd")
    await asyncio.gather(*tasks.values())


async def test_nobody_overtakes_those_who_wait() -> None:
    room = Room(1)
    tasks = await room.users("ab")
    room.slots = 2
    late = await room.users("c")
    assert room.view == ["a"]
    await room.leave("a")
    assert room.view == ["b", "c"]
    await room.leave("bc")
    await asyncio.gather(*tasks.values(), *late.values())


@pytest.mark.parametrize("when", ["waiting", "inside", "called", "passed over"])
async def test_whoever_is_cancelled_keeps_no_slot(when: str) -> None:
    room = Room(1)
    tasks = await room.users("abc")
    if when == "waiting":
        tasks["b"].cancel()
    elif when == "inside":
        tasks["a"].cancel()
    elif when == "called":  # its turn comes, and it is cancelled before it runs
        room.gates["a"].set()
        await asyncio.sleep(0)
        tasks["b"].cancel()
    else:  # it is cancelled, and a slot comes free before it runs
        room.gates["a"].set()
        tasks["b"].cancel()
    for name in "ac":
        room.gates[name].set()
    if when == "inside":
        room.gates["b"].set()
    ends = await asyncio.wait_for(asyncio.gather(*tasks.values(), return_exceptions=True), 1)
    cut = 0 if when == "inside" else 1
    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [
        place == cut for place in range(3)
    ]
    assert (room.limiter.taken, room.limiter.waiting) == (0, 0)
