"""Files as clients of the Files API see them. All of this blocks: call it in a thread.

An uploaded file is kept in pieces; the files of a batch's results are read from its items.
"""

from collections.abc import Iterator
from time import time
from typing import BinaryIO

import msgspec
import sqlalchemy as sa

from gateway.batches.tables import FILE, ITEM, PIECE, File

_PIECE = 1024 * 1024


class Files:
    """The files of one engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, file: File, content: BinaryIO) -> File:
        """A new file; its size is that of the content."""
        size = 0
        with self._engine.begin() as connection:
            content.seek(0)
            number = 0
            while body := content.read(_PIECE):
                row = {"file_id": file.id, "number": number, "body": body}
                connection.execute(sa.insert(PIECE), [row])
                number, size = number + 1, size + len(body)
            file = msgspec.structs.replace(file, size=size)
            connection.execute(sa.insert(FILE), [_values(file)])
        return file

    def add_results(self, file: File, states: tuple[str, ...]) -> str | None:
        """A file of a batch's results in these states; its id, or None where there are none."""
        query = sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(ITEM.c.body) + 1), 0)
        ).where(ITEM.c.batch_id == file.batch_id, ITEM.c.state.in_(states))
        with self._engine.begin() as connection:
            known = sa.select(FILE.c.id).where(
                FILE.c.batch_id == file.batch_id, FILE.c.name == file.name
            )
            if found := connection.scalar(known):
                return str(found)
            count, size = connection.execute(query).one()
            if not count:
                return None
            row = _values(msgspec.structs.replace(file, size=int(size)))
            connection.execute(sa.insert(FILE), [row])
        return file.id

    def get(self, file_id: str, tenant: str) -> File:
        """The tenant's file of that id. KeyError."""
        mine = FILE.c.id == file_id, FILE.c.tenant == tenant, FILE.c.expires > time()
        query = sa.select(FILE).where(*mine)
        if "\0" in file_id:  # Postgres has no such texts
            raise KeyError(file_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise KeyError(file_id)
        return File(**row)

    def page(
        self, tenant: str, purpose: str, limit: int, after: str, *, oldest_first: bool
    ) -> tuple[list[File], bool]:
        """The tenant's files: at most `limit`, and whether there are more. KeyError."""
        query = sa.select(FILE).where(FILE.c.tenant == tenant, FILE.c.expires > time())
        if purpose:
            query = query.where(FILE.c.purpose == purpose)
        if after:
            seq = self.get(after, tenant).seq
            query = query.where(FILE.c.seq > seq if oldest_first else FILE.c.seq < seq)
        query = query.order_by(FILE.c.seq.asc() if oldest_first else FILE.c.seq.desc())
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        return [File(**row) for row in rows[:limit]], len(rows) > limit

    def piece(self, file_id: str, number: int) -> bytes:
        """A piece of an uploaded file; empty behind its end."""
        query = sa.select(PIECE.c.body).where(PIECE.c.file_id == file_id, PIECE.c.number == number)
        with self._engine.connect() as connection:
            return connection.scalar(query) or b""

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of an uploaded file, without their ends."""
        rest, number = b"", 0
        while piece := self.piece(file_id, number):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            number += 1
        if rest:
            yield rest

    def remove(self, file: File) -> None:
        """The file, and its pieces; results that it showed stay with their batch."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(PIECE).where(PIECE.c.file_id == file.id))
            connection.execute(sa.delete(FILE).where(FILE.c.id == file.id))


def _values(file: File) -> dict[str, object]:
    values = msgspec.structs.asdict(file)
    del values["seq"]
    return values
