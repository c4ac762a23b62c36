"""Results and files on their way to a client, page by page from the disk."""

import asyncio
from collections.abc import Sequence

from gateway.batches.files import FileStore
from gateway.batches.store import ITEM_STATES, BatchStore
from gateway.batches.tables import FileRow

_PAGE_SIZE = 64
RESULT_STATES = {"output": ("succeeded",), "error": ("errored", "expired")}
"""Which results are lines of which file of a batch."""


class ResultSource:
    """The result lines of a batch."""

    def __init__(
        self, store: BatchStore, batch_id: str, states: Sequence[str] = ITEM_STATES
    ) -> None:
        self._store = store
        self._batch_id = batch_id
        self._states = states
        self._last_line = -1

    async def read(self) -> bytes:
        """The next lines; empty at the end."""
        items = await asyncio.to_thread(
            self._store.list_results, self._batch_id, self._states, self._last_line, _PAGE_SIZE
        )
        if not items:
            return b""
        self._last_line = items[-1].line
        return b"".join([item.body + b"\n" for item in items])

    async def aclose(self) -> None:
        """Nothing is held between two pages."""


class FileSource:
    """The bytes of an uploaded file."""

    def __init__(self, files: FileStore, file_id: str) -> None:
        self._files = files
        self._file_id = file_id
        self._number = 0

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        piece = await asyncio.to_thread(self._files.read_piece, self._file_id, self._number)
        self._number += 1
        return piece

    async def aclose(self) -> None:
        """Nothing is held between two pieces."""


def open_content(store: BatchStore, files: FileStore, file: FileRow) -> ResultSource | FileSource:
    """What a file holds."""
    if not file.batch_id:
        return FileSource(files, file.id)
    which = file.name.removesuffix(".jsonl").rpartition("_")[2]
    return ResultSource(store, file.batch_id, RESULT_STATES[which])
