"""The tables, by themselves."""

import asyncio
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from time import time

import pytest
import sqlalchemy as sa

from gateway.batches.desk import Results
from gateway.batches.files import Files
from gateway.batches.store import Store
from gateway.batches.tables import Batch, File, Item, Line, connected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one batch "b" of four lines."""
    made = Store(connected(f"sqlite:///{tmp_path}/batches.db"))
    made.prepare()
    made.prepare()
    made.add(batch("b"), [Line(n, f"c-{n}", b"{}") for n in range(4)])
    yield made
    made.engine.dispose()


def batch(ident: str) -> Batch:
    now = time()
    return Batch(
        id=ident, kind="messages", tenant="t", caller="t", headers=b"[]", created=now,
        expires=now + 60,
    )  # fmt: skip


def item(line: int, body: bytes = b"{}", state: str = "succeeded") -> Item:
    return Item("b", line, f"c-{line}", state, 1, 200, body)


def test_each_commit_is_synced_to_disk(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(sa.text("PRAGMA synchronous")) == 2
        assert connection.scalar(sa.text("PRAGMA busy_timeout")) == 30000


def test_a_lines_first_result_stands(store: Store) -> None:
    store.keep([item(1, b"first")])
    store.keep([item(1, b"second"), item(2)])
    assert [each.body for each in store.results("b", ["succeeded"], -1, 10)] == [b"first", b"{}"]


def test_lines_with_a_result_are_not_pending(store: Store) -> None:
    store.keep([item(1), item(2, state="errored")])
    assert [each.line for each in store.pending("b", 0, 10)] == [0, 3]
    assert [each.line for each in store.pending("b", 0, 1)] == [0]
    assert [each.line for each in store.pending("b", 1, 10)] == [3]
    counts = {"succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    assert store.counts("b") == counts


def test_a_batch_is_added_as_a_whole_or_not_at_all(store: Store) -> None:
    twice = [Line(0, "a", b"{}"), Line(0, "b", b"what was said")]
    with pytest.raises(sa.exc.IntegrityError) as caught:
        store.add(batch("c"), twice)
    assert "said" not in str(caught.value)
    with pytest.raises(KeyError):
        store.get("c")
    assert store.open() == ["b"]


def test_an_ended_batch_forgets_what_was_asked_and_in_time_everything(store: Store) -> None:
    store.keep([item(n) for n in range(4)])
    store.end("b", "completed")
    ended = store.get("b")
    assert (ended.phase, ended.outcome, ended.succeeded) == ("ended", "completed", 4)
    assert store.open() == []
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM batch_line")) == 0
    assert store.forget(time() - 60) == []
    assert store.forget(time() + 60) == ["b"]
    assert store.results("b", ["succeeded"], -1, 10) == []


def test_a_cancellation_keeps_its_first_moment(store: Store) -> None:
    store.stop("b")
    first = store.get("b").stopped
    store.stop("b")
    assert store.get("b").stopped == first is not None


async def test_a_result_waits_until_it_can_be_kept(store: Store) -> None:
    class Full(Store):
        full = True

        def keep(self, items: Iterable[Item]) -> None:
            if self.full:
                self.full = False
                raise OSError("no space left on device")
            super().keep(items)

    results = Results(Full(store.engine))
    async with results.running():
        await asyncio.gather(*[results.keep(item(n)) for n in range(3)])
        assert store.counts("b")["succeeded"] == 3


def test_a_database_of_an_earlier_version_gets_its_new_columns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    old = Store(connected(url))
    old.prepare()
    with old.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE batch DROP COLUMN output_seconds"))
    old.engine.dispose()
    made = Store(connected(url))
    made.prepare()
    made.add(batch("b"), [])
    assert made.get("b").output_seconds is None
    made.engine.dispose()


def test_a_file_whose_time_is_over_is_gone_before_it_is_swept(tmp_path: Path) -> None:
    made = Store(connected(f"sqlite:///{tmp_path}/batches.db"))
    made.prepare()
    files, now = Files(made.engine), time()
    for name, expires in (("old", now - 1), ("new", now + 60)):
        file = File(
            id=name, tenant="t", name=name, purpose="batch", size=0, created=now, expires=expires
        )
        files.add(file, BytesIO(b"x"))
    assert files.get("new", "t").size == 1
    with pytest.raises(KeyError):
        files.get("old", "t")
    assert [each.id for each in files.page("t", "", 10, "", oldest_first=True)[0]] == ["new"]
    made.engine.dispose()
