"""Batches, their lines and their results. All of this blocks: call it in a thread."""

from collections.abc import Iterable, Sequence
from itertools import islice
from time import time
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.batches.tables import (
    BATCH_TABLE,
    FILE_TABLE,
    ITEM_TABLE,
    LINE_TABLE,
    METADATA,
    PIECE_TABLE,
    BatchRow,
    ItemRow,
    LineRow,
)

_ROWS_PER_INSERT = 500
"""Rows of one INSERT."""
_LOCK_ID = 0x696E7465726C
ITEM_STATES = ("succeeded", "errored", "canceled", "expired")


class BatchStore:
    """The tables of one engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def create_tables(self) -> None:
        """Makes the tables that are not there yet."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":  # others may start at the same moment
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_ID)))
            METADATA.create_all(connection)
            _add_columns(connection)

    def add_batch(self, batch: BatchRow, lines: Sequence[LineRow]) -> None:
        """A new batch with all its lines, or nothing of it."""
        with self.engine.begin() as connection:
            values = msgspec.structs.asdict(batch)
            del values["seq"]
            connection.execute(sa.insert(BATCH_TABLE).values(values))
            _add_lines(connection, batch.id, lines)

    def fill_lines(self, batch_id: str, lines: Iterable[LineRow]) -> None:
        """The lines of a batch that was added without, or nothing where reading them fails."""
        with self.engine.begin() as connection:
            running = {"phase": "running", "started": time()}
            changed = connection.execute(
                sa.update(BATCH_TABLE)
                .where(BATCH_TABLE.c.id == batch_id, BATCH_TABLE.c.phase == "validating")
                .values(running)
            )
            if changed.rowcount:
                total = _add_lines(connection, batch_id, lines)
                is_it = BATCH_TABLE.c.id == batch_id
                connection.execute(sa.update(BATCH_TABLE).where(is_it).values(total=total))

    def fail_batch(self, batch_id: str, faults: bytes) -> None:
        """The batch ends before it began, for what is wrong with its lines."""
        now = time()
        self._update_batch(batch_id, phase="ended", outcome="failed", faults=faults, ended=now)

    def get_batch(
        self, batch_id: str, tenant: str | None = None, kind: str | None = None
    ) -> BatchRow:
        """The batch of that id, if it is that tenant's. KeyError."""
        query = sa.select(BATCH_TABLE).where(BATCH_TABLE.c.id == batch_id)
        if tenant is not None:
            query = query.where(BATCH_TABLE.c.tenant == tenant, BATCH_TABLE.c.kind == kind)
        if "\0" in batch_id:  # Postgres has no such texts
            raise KeyError(batch_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise KeyError(batch_id)
        return BatchRow(**row)

    def list_batches(
        self, tenant: str, kind: str, limit: int, *, after: str = "", before: str = ""
    ) -> tuple[list[BatchRow], bool]:
        """The tenant's batches, the newest first: at most `limit`, and whether there are more.

        `after` is the batch before the page's first, `before` the one behind its last. KeyError.
        """
        query = sa.select(BATCH_TABLE).where(
            BATCH_TABLE.c.tenant == tenant, BATCH_TABLE.c.kind == kind
        )
        if before:
            query = query.where(BATCH_TABLE.c.seq > self.get_batch(before, tenant, kind).seq)
            query = query.order_by(BATCH_TABLE.c.seq.asc())
        else:
            if after:
                query = query.where(BATCH_TABLE.c.seq < self.get_batch(after, tenant, kind).seq)
            query = query.order_by(BATCH_TABLE.c.seq.desc())
        with self.engine.connect() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        batches = [BatchRow(**row) for row in rows[:limit]]
        return batches[::-1] if before else batches, len(rows) > limit

    def request_cancel(self, batch_id: str) -> None:
        """Asks for the batch's cancellation, once."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(BATCH_TABLE)
                .where(BATCH_TABLE.c.id == batch_id, BATCH_TABLE.c.phase != "ended")
                .values(stopped=sa.func.coalesce(BATCH_TABLE.c.stopped, time()))
            )

    def remove_batch(self, batch_id: str) -> None:
        """The batch with all that belongs to it."""
        with self.engine.begin() as connection:
            _remove_batches(connection, [batch_id])

    def list_open(self) -> list[str]:
        """The ids of batches that have not ended."""
        query = (
            sa.select(BATCH_TABLE.c.id)
            .where(BATCH_TABLE.c.phase != "ended")
            .order_by(BATCH_TABLE.c.seq)
        )
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def list_pending(self, batch_id: str, first: int, most: int) -> list[LineRow]:
        """The next lines from `first` on that came to nothing yet."""
        query = (
            sa.select(LINE_TABLE.c.line, LINE_TABLE.c.custom_id, LINE_TABLE.c.body)
            .where(LINE_TABLE.c.batch_id == batch_id, LINE_TABLE.c.line >= first, ~_item_exists())
            .order_by(LINE_TABLE.c.line)
            .limit(most)
        )
        with self.engine.connect() as connection:
            return [LineRow(*row) for row in connection.execute(query)]

    def save_items(self, items: Iterable[ItemRow]) -> None:
        """Results, in one commit; a line's first result stands."""
        rows = [msgspec.structs.asdict(item) for item in items]
        dialect: Any = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with self.engine.begin() as connection:
            connection.execute(dialect.insert(ITEM_TABLE).on_conflict_do_nothing(), rows)

    def count_states(self, batch_id: str) -> dict[str, int]:
        """How many lines of a batch are in each state."""
        with self.engine.connect() as connection:
            return _count_states(connection, batch_id)

    def start_finalizing(self, batch_id: str) -> None:
        """No line of the batch starts from here on."""
        self._update_batch(batch_id, phase="finalizing", finalizing=time())

    def end_batch(self, batch_id: str, outcome: str, **files: str | None) -> None:
        """The batch is over; its counts stand, and what was asked is forgotten."""
        with self.engine.begin() as connection:
            values = _count_states(connection, batch_id) | files | {"outcome": outcome}
            values |= {"phase": "ended", "ended": time()}
            connection.execute(
                sa.update(BATCH_TABLE).where(BATCH_TABLE.c.id == batch_id).values(values)
            )
            connection.execute(sa.delete(LINE_TABLE).where(LINE_TABLE.c.batch_id == batch_id))

    def list_results(
        self, batch_id: str, states: Sequence[str], after: int, most: int
    ) -> list[ItemRow]:
        """Results in these states, by line, the lines after that one."""
        query = (
            sa.select(ITEM_TABLE)
            .where(
                ITEM_TABLE.c.batch_id == batch_id,
                ITEM_TABLE.c.state.in_(states),
                ITEM_TABLE.c.line > after,
            )
            .order_by(ITEM_TABLE.c.line)
            .limit(most)
        )
        with self.engine.connect() as connection:
            return [ItemRow(*row) for row in connection.execute(query)]

    def remove_old(self, before: float) -> list[str]:
        """Removes batches that ended before that moment and files whose time is over."""
        old = sa.select(BATCH_TABLE.c.id).where(BATCH_TABLE.c.ended < before)
        stale = sa.select(FILE_TABLE.c.id).where(FILE_TABLE.c.expires < time())
        with self.engine.begin() as connection:
            ids = list(connection.scalars(old))
            _remove_batches(connection, ids)
            connection.execute(sa.delete(PIECE_TABLE).where(PIECE_TABLE.c.file_id.in_(stale)))
            connection.execute(sa.delete(FILE_TABLE).where(FILE_TABLE.c.expires < time()))
        return ids

    def _update_batch(self, batch_id: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(BATCH_TABLE).where(BATCH_TABLE.c.id == batch_id).values(values)
            )


def _add_columns(connection: sa.Connection) -> None:
    """The columns that an earlier version of this program did not have; all of them may be null."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(BATCH_TABLE.name)}
    for column in BATCH_TABLE.columns:
        if column.name not in known:
            kind = column.type.compile(connection.dialect)
            connection.execute(
                sa.text(f"ALTER TABLE {BATCH_TABLE.name} ADD COLUMN {column.name} {kind}")
            )


def _item_exists() -> sa.Exists:
    return sa.exists().where(
        ITEM_TABLE.c.batch_id == LINE_TABLE.c.batch_id, ITEM_TABLE.c.line == LINE_TABLE.c.line
    )


def _add_lines(connection: sa.Connection, batch_id: str, lines: Iterable[LineRow]) -> int:
    """How many they were; a file of them never lies in memory as a whole."""
    count = 0
    rest = iter(lines)
    while some := list(islice(rest, _ROWS_PER_INSERT)):
        rows = [{"batch_id": batch_id} | msgspec.structs.asdict(line) for line in some]
        connection.execute(sa.insert(LINE_TABLE), rows)
        count += len(some)
    return count


def _remove_batches(connection: sa.Connection, ids: Sequence[str]) -> None:
    for table in (LINE_TABLE, ITEM_TABLE, FILE_TABLE):
        connection.execute(sa.delete(table).where(table.c.batch_id.in_(ids)))
    connection.execute(sa.delete(BATCH_TABLE).where(BATCH_TABLE.c.id.in_(ids)))


def _count_states(connection: sa.Connection, batch_id: str) -> dict[str, Any]:
    query = (
        sa.select(ITEM_TABLE.c.state, sa.func.count())
        .where(ITEM_TABLE.c.batch_id == batch_id)
        .group_by(ITEM_TABLE.c.state)
    )
    return dict.fromkeys(ITEM_STATES, 0) | {row[0]: row[1] for row in connection.execute(query)}
