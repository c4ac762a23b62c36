"""The tables, by themselves."""

import asyncio
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from time import time

import pytest
import sqlalchemy as sa

from gateway.batches.files import FileStore
from gateway.batches.scheduler import ResultWriter
from gateway.batches.store import BatchStore
from gateway.batches.tables import BatchRow, FileRow, ItemRow, LineRow, open_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BatchStore]:
    """A store with one batch "b" of four lines."""
    made = BatchStore(open_engine(f"sqlite:///{tmp_path}/batches.db"))
    made.create_tables()
    made.create_tables()
    made.add_batch(batch("b"), [LineRow(n, f"c-{n}", b"{}") for n in range(4)])
    yield made
    made.engine.dispose()


def batch(ident: str) -> BatchRow:
    now = time()
    return BatchRow(
        id=ident, kind="messages", tenant="t", caller="t", headers=b"[]", created=now,
        expires=now + 60,
    )  # fmt: skip


def item(line: int, body: bytes = b"{}", state: str = "succeeded") -> ItemRow:
    return ItemRow("b", line, f"c-{line}", state, 1, 200, body)


def test_each_commit_is_synced_to_disk(store: BatchStore) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(sa.text("PRAGMA synchronous")) == 2
        assert connection.scalar(sa.text("PRAGMA busy_timeout")) == 30000


def test_a_lines_first_result_stands(store: BatchStore) -> None:
    store.save_items([item(1, b"first")])
    store.save_items([item(1, b"second"), item(2)])
    assert [each.body for each in store.list_results("b", ["succeeded"], -1, 10)] == [
        b"first",
        b"{}",
    ]


def test_lines_with_a_result_are_not_pending(store: BatchStore) -> None:
    store.save_items([item(1), item(2, state="errored")])
    assert [each.line for each in store.list_pending("b", 0, 10)] == [0, 3]
    assert [each.line for each in store.list_pending("b", 0, 1)] == [0]
    assert [each.line for each in store.list_pending("b", 1, 10)] == [3]
    counts = {"succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    assert store.count_states("b") == counts


def test_a_batch_is_added_as_a_whole_or_not_at_all(store: BatchStore) -> None:
    twice = [LineRow(0, "a", b"{}"), LineRow(0, "b", b"what was said")]
    with pytest.raises(sa.exc.IntegrityError) as caught:
        store.add_batch(batch("c"), twice)
    assert "said" not in str(caught.value)
    with pytest.raises(KeyError):
        store.get_batch("c")
    assert store.list_open() == ["b"]


def test_an_ended_batch_forgets_what_was_asked_and_in_time_everything(store: BatchStore) -> None:
    store.save_items([item(n) for n in range(4)])
    store.end_batch("b", "completed")
    ended = store.get_batch("b")
    assert (ended.phase, ended.outcome, ended.succeeded) == ("ended", "completed", 4)
    assert store.list_open() == []
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM batch_line")) == 0
    assert store.remove_old(time() - 60) == []
    assert store.remove_old(time() + 60) == ["b"]
    assert store.list_results("b", ["succeeded"], -1, 10) == []


def test_a_cancellation_keeps_its_first_moment(store: BatchStore) -> None:
    store.request_cancel("b")
    first = store.get_batch("b").stopped
    store.request_cancel("b")
    assert store.get_batch("b").stopped == first is not None


async def test_a_result_waits_until_it_can_be_kept(store: BatchStore) -> None:
    class Full(BatchStore):
        full = True

        def save_items(self, items: Iterable[ItemRow]) -> None:
            if self.full:
                self.full = False
                raise OSError("no space left on device")
            super().save_items(items)

    results = ResultWriter(Full(store.engine))
    async with results.running():
        await asyncio.gather(*[results.save_result(item(n)) for n in range(3)])
        assert store.count_states("b")["succeeded"] == 3


def test_a_database_of_an_earlier_version_gets_its_new_columns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    old = BatchStore(open_engine(url))
    old.create_tables()
    with old.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE batch DROP COLUMN output_seconds"))
    old.engine.dispose()
    made = BatchStore(open_engine(url))
    made.create_tables()
    made.add_batch(batch("b"), [])
    assert made.get_batch("b").output_seconds is None
    made.engine.dispose()


def test_a_file_whose_time_is_over_is_gone_before_it_is_swept(tmp_path: Path) -> None:
    made = BatchStore(open_engine(f"sqlite:///{tmp_path}/batches.db"))
    made.create_tables()
    files, now = FileStore(made.engine), time()
    for name, expires in (("old", now - 1), ("new", now + 60)):
        file = FileRow(
            id=name, tenant="t", name=name, purpose="batch", size=0, created=now, expires=expires
        )
        files.add_file(file, BytesIO(b"x"))
    assert files.get_file("new", "t").size == 1
    with pytest.raises(KeyError):
        files.get_file("old", "t")
    assert [each.id for each in files.list_files("t", "", 10, "", oldest_first=True)[0]] == ["new"]
    made.engine.dispose()
