"""Batches, their lines and their results. All of this blocks: call it in a thread."""

from collections.abc import Iterable, Sequence
from itertools import islice
from time import time
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.batches.tables import BATCH, FILE, ITEM, LINE, METADATA, PIECE, Batch, Item, Line

_ROWS = 500
"""Rows of one INSERT."""
_LOCK = 0x696E7465726C
STATES = ("succeeded", "errored", "canceled", "expired")


class Store:
    """The tables of one engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def prepare(self) -> None:
        """Makes the tables that are not there yet."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":  # others may start at the same moment
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            METADATA.create_all(connection)
            _add_columns(connection)

    def add(self, batch: Batch, lines: Sequence[Line]) -> None:
        """A new batch with all its lines, or nothing of it."""
        with self.engine.begin() as connection:
            values = msgspec.structs.asdict(batch)
            del values["seq"]
            connection.execute(sa.insert(BATCH).values(values))
            _add_lines(connection, batch.id, lines)

    def fill(self, batch_id: str, lines: Iterable[Line]) -> None:
        """The lines of a batch that was added without, or nothing where reading them fails."""
        with self.engine.begin() as connection:
            running = {"phase": "running", "started": time()}
            changed = connection.execute(
                sa.update(BATCH)
                .where(BATCH.c.id == batch_id, BATCH.c.phase == "validating")
                .values(running)
            )
            if changed.rowcount:
                total = _add_lines(connection, batch_id, lines)
                is_it = BATCH.c.id == batch_id
                connection.execute(sa.update(BATCH).where(is_it).values(total=total))

    def refuse(self, batch_id: str, faults: bytes) -> None:
        """The batch ends before it began, for what is wrong with its lines."""
        now = time()
        self._set(batch_id, phase="ended", outcome="failed", faults=faults, ended=now)

    def get(self, batch_id: str, tenant: str | None = None, kind: str | None = None) -> Batch:
        """The batch of that id, if it is that tenant's. KeyError."""
        query = sa.select(BATCH).where(BATCH.c.id == batch_id)
        if tenant is not None:
            query = query.where(BATCH.c.tenant == tenant, BATCH.c.kind == kind)
        if "\0" in batch_id:  # Postgres has no such texts
            raise KeyError(batch_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise KeyError(batch_id)
        return Batch(**row)

    def page(
        self, tenant: str, kind: str, limit: int, *, after: str = "", before: str = ""
    ) -> tuple[list[Batch], bool]:
        """The tenant's batches, the newest first: at most `limit`, and whether there are more.

        `after` is the batch before the page's first, `before` the one behind its last. KeyError.
        """
        query = sa.select(BATCH).where(BATCH.c.tenant == tenant, BATCH.c.kind == kind)
        if before:
            query = query.where(BATCH.c.seq > self.get(before, tenant, kind).seq)
            query = query.order_by(BATCH.c.seq.asc())
        else:
            if after:
                query = query.where(BATCH.c.seq < self.get(after, tenant, kind).seq)
            query = query.order_by(BATCH.c.seq.desc())
        with self.engine.connect() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        batches = [Batch(**row) for row in rows[:limit]]
        return batches[::-1] if before else batches, len(rows) > limit

    def stop(self, batch_id: str) -> None:
        """Asks for the batch's cancellation, once."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(BATCH)
                .where(BATCH.c.id == batch_id, BATCH.c.phase != "ended")
                .values(stopped=sa.func.coalesce(BATCH.c.stopped, time()))
            )

    def remove(self, batch_id: str) -> None:
        """The batch with all that belongs to it."""
        with self.engine.begin() as connection:
            _remove(connection, [batch_id])

    def open(self) -> list[str]:
        """The ids of batches that have not ended."""
        query = sa.select(BATCH.c.id).where(BATCH.c.phase != "ended").order_by(BATCH.c.seq)
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def pending(self, batch_id: str, first: int, most: int) -> list[Line]:
        """The next lines from `first` on that came to nothing yet."""
        query = (
            sa.select(LINE.c.line, LINE.c.custom_id, LINE.c.body)
            .where(LINE.c.batch_id == batch_id, LINE.c.line >= first, ~_through())
            .order_by(LINE.c.line)
            .limit(most)
        )
        with self.engine.connect() as connection:
            return [Line(*row) for row in connection.execute(query)]

    def keep(self, items: Iterable[Item]) -> None:
        """Results, in one commit; a line's first result stands."""
        rows = [msgspec.structs.asdict(item) for item in items]
        dialect: Any = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with self.engine.begin() as connection:
            connection.execute(dialect.insert(ITEM).on_conflict_do_nothing(), rows)

    def counts(self, batch_id: str) -> dict[str, int]:
        """How many lines of a batch are in each state."""
        with self.engine.connect() as connection:
            return _counts(connection, batch_id)

    def finalize(self, batch_id: str) -> None:
        """No line of the batch starts from here on."""
        self._set(batch_id, phase="finalizing", finalizing=time())

    def end(self, batch_id: str, outcome: str, **files: str | None) -> None:
        """The batch is over; its counts stand, and what was asked is forgotten."""
        with self.engine.begin() as connection:
            values = _counts(connection, batch_id) | files | {"outcome": outcome}
            values |= {"phase": "ended", "ended": time()}
            connection.execute(sa.update(BATCH).where(BATCH.c.id == batch_id).values(values))
            connection.execute(sa.delete(LINE).where(LINE.c.batch_id == batch_id))

    def results(self, batch_id: str, states: Sequence[str], after: int, most: int) -> list[Item]:
        """Results in these states, by line, the lines after that one."""
        query = (
            sa.select(ITEM)
            .where(ITEM.c.batch_id == batch_id, ITEM.c.state.in_(states), ITEM.c.line > after)
            .order_by(ITEM.c.line)
            .limit(most)
        )
        with self.engine.connect() as connection:
            return [Item(*row) for row in connection.execute(query)]

    def forget(self, before: float) -> list[str]:
        """Removes batches that ended before that moment and files whose time is over."""
        old = sa.select(BATCH.c.id).where(BATCH.c.ended < before)
        stale = sa.select(FILE.c.id).where(FILE.c.expires < time())
        with self.engine.begin() as connection:
            ids = list(connection.scalars(old))
            _remove(connection, ids)
            connection.execute(sa.delete(PIECE).where(PIECE.c.file_id.in_(stale)))
            connection.execute(sa.delete(FILE).where(FILE.c.expires < time()))
        return ids

    def _set(self, batch_id: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.update(BATCH).where(BATCH.c.id == batch_id).values(values))


def _add_columns(connection: sa.Connection) -> None:
    """The columns that an earlier version of this program did not have; all of them may be null."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(BATCH.name)}
    for column in BATCH.columns:
        if column.name not in known:
            kind = column.type.compile(connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {BATCH.name} ADD COLUMN {column.name} {kind}"))


def _through() -> sa.Exists:
    return sa.exists().where(ITEM.c.batch_id == LINE.c.batch_id, ITEM.c.line == LINE.c.line)


def _add_lines(connection: sa.Connection, batch_id: str, lines: Iterable[Line]) -> int:
    """How many they were; a file of them never lies in memory as a whole."""
    count = 0
    rest = iter(lines)
    while some := list(islice(rest, _ROWS)):
        rows = [{"batch_id": batch_id} | msgspec.structs.asdict(line) for line in some]
        connection.execute(sa.insert(LINE), rows)
        count += len(some)
    return count


def _remove(connection: sa.Connection, ids: Sequence[str]) -> None:
    for table in (LINE, ITEM, FILE):
        connection.execute(sa.delete(table).where(table.c.batch_id.in_(ids)))
    connection.execute(sa.delete(BATCH).where(BATCH.c.id.in_(ids)))


def _counts(connection: sa.Connection, batch_id: str) -> dict[str, Any]:
    query = (
        sa.select(ITEM.c.state, sa.func.count())
        .where(ITEM.c.batch_id == batch_id)
        .group_by(ITEM.c.state)
    )
    return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in connection.execute(query)}
