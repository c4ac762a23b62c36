"""Results and files on their way to a client, page by page from the disk."""

import asyncio
from collections.abc import Sequence

from gateway.batches.files import Files
from gateway.batches.store import STATES, Store
from gateway.batches.tables import File

_PAGE = 64
RESULTS = {"output": ("succeeded",), "error": ("errored", "expired")}
"""Which results are lines of which file of a batch."""


class Results:
    """The result lines of a batch."""

    def __init__(self, store: Store, batch_id: str, states: Sequence[str] = STATES) -> None:
        self._store = store
        self._batch_id = batch_id
        self._states = states
        self._last = -1

    async def read(self) -> bytes:
        """The next lines; empty at the end."""
        items = await asyncio.to_thread(
            self._store.results, self._batch_id, self._states, self._last, _PAGE
        )
        if not items:
            return b""
        self._last = items[-1].line
        return b"".join([item.body + b"\n" for item in items])

    async def aclose(self) -> None:
        """Nothing is held between two pages."""


class Content:
    """The bytes of an uploaded file."""

    def __init__(self, files: Files, file_id: str) -> None:
        self._files = files
        self._file_id = file_id
        self._number = 0

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        piece = await asyncio.to_thread(self._files.piece, self._file_id, self._number)
        self._number += 1
        return piece

    async def aclose(self) -> None:
        """Nothing is held between two pieces."""


def content(store: Store, files: Files, file: File) -> Results | Content:
    """What a file holds."""
    if not file.batch_id:
        return Content(files, file.id)
    which = file.name.removesuffix(".jsonl").rpartition("_")[2]
    return Results(store, file.batch_id, RESULTS[which])
