"""Files as clients of the Files API see them. All of this blocks: call it in a thread.

An uploaded file is kept in pieces; the files of a batch's results are read from its items.
"""

from collections.abc import Iterator
from time import time
from typing import BinaryIO

import msgspec
import sqlalchemy as sa

from gateway.batches.tables import FILE_TABLE, ITEM_TABLE, PIECE_TABLE, FileRow

_PIECE_SIZE = 1024 * 1024


class FileStore:
    """The files of one engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add_file(self, file: FileRow, content: BinaryIO) -> FileRow:
        """A new file; its size is that of the content."""
        size = 0
        with self._engine.begin() as connection:
            content.seek(0)
            number = 0
            while body := content.read(_PIECE_SIZE):
                row = {"file_id": file.id, "number": number, "body": body}
                connection.execute(sa.insert(PIECE_TABLE), [row])
                number, size = number + 1, size + len(body)
            file = msgspec.structs.replace(file, size=size)
            connection.execute(sa.insert(FILE_TABLE), [_make_row(file)])
        return file

    def add_result_file(self, file: FileRow, states: tuple[str, ...]) -> str | None:
        """A file of a batch's results in these states; its id, or None where there are none."""
        query = sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(ITEM_TABLE.c.body) + 1), 0)
        ).where(ITEM_TABLE.c.batch_id == file.batch_id, ITEM_TABLE.c.state.in_(states))
        with self._engine.begin() as connection:
            known = sa.select(FILE_TABLE.c.id).where(
                FILE_TABLE.c.batch_id == file.batch_id, FILE_TABLE.c.name == file.name
            )
            if found := connection.scalar(known):
                return str(found)
            count, size = connection.execute(query).one()
            if not count:
                return None
            row = _make_row(msgspec.structs.replace(file, size=int(size)))
            connection.execute(sa.insert(FILE_TABLE), [row])
        return file.id

    def get_file(self, file_id: str, tenant: str) -> FileRow:
        """The tenant's file of that id. KeyError."""
        mine = (
            FILE_TABLE.c.id == file_id,
            FILE_TABLE.c.tenant == tenant,
            FILE_TABLE.c.expires > time(),
        )
        query = sa.select(FILE_TABLE).where(*mine)
        if "\0" in file_id:  # Postgres has no such texts
            raise KeyError(file_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise KeyError(file_id)
        return FileRow(**row)

    def list_files(
        self, tenant: str, purpose: str, limit: int, after: str, *, oldest_first: bool
    ) -> tuple[list[FileRow], bool]:
        """The tenant's files: at most `limit`, and whether there are more. KeyError."""
        query = sa.select(FILE_TABLE).where(
            FILE_TABLE.c.tenant == tenant, FILE_TABLE.c.expires > time()
        )
        if purpose:
            query = query.where(FILE_TABLE.c.purpose == purpose)
        if after:
            seq = self.get_file(after, tenant).seq
            query = query.where(FILE_TABLE.c.seq > seq if oldest_first else FILE_TABLE.c.seq < seq)
        query = query.order_by(FILE_TABLE.c.seq.asc() if oldest_first else FILE_TABLE.c.seq.desc())
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        return [FileRow(**row) for row in rows[:limit]], len(rows) > limit

    def read_piece(self, file_id: str, number: int) -> bytes:
        """A piece of an uploaded file; empty behind its end."""
        query = sa.select(PIECE_TABLE.c.body).where(
            PIECE_TABLE.c.file_id == file_id, PIECE_TABLE.c.number == number
        )
        with self._engine.connect() as connection:
            return connection.scalar(query) or b""

    def iter_lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of an uploaded file, without their ends."""
        rest, number = b"", 0
        while piece := self.read_piece(file_id, number):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            number += 1
        if rest:
            yield rest

    def remove_file(self, file: FileRow) -> None:
        """The file, and its pieces; results that it showed stay with their batch."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(PIECE_TABLE).where(PIECE_TABLE.c.file_id == file.id))
            connection.execute(sa.delete(FILE_TABLE).where(FILE_TABLE.c.id == file.id))


def _make_row(file: FileRow) -> dict[str, object]:
    values = msgspec.structs.asdict(file)
    del values["seq"]
    return values
