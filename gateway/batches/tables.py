"""What is kept of batches, in a SQLite file of their own or in a Postgres.

`batch_line` is what was asked, written once with its batch; `batch_item` is what it came to, one
row for each line that is through. A line with a row is never asked again.
"""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import event

_BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.Double
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")

METADATA = sa.MetaData()
BATCH_TABLE = sa.Table(
    "batch",
    METADATA,
    sa.Column("seq", _BIG_INTEGER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("headers", sa.LargeBinary, nullable=False),
    sa.Column("input_file", sa.Text, nullable=False),
    sa.Column("metadata", sa.LargeBinary, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("faults", sa.LargeBinary, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("expires", _TIME, nullable=False),
    sa.Column("started", _TIME),
    sa.Column("stopped", _TIME),
    sa.Column("finalizing", _TIME),
    sa.Column("ended", _TIME),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("succeeded", sa.Integer, nullable=False),
    sa.Column("errored", sa.Integer, nullable=False),
    sa.Column("canceled", sa.Integer, nullable=False),
    sa.Column("expired", sa.Integer, nullable=False),
    sa.Column("output_file", sa.Text),
    sa.Column("error_file", sa.Text),
    sa.Column("output_seconds", _TIME),
    sa.Index("batch_by_tenant", "tenant", "kind", "seq"),
    sqlite_autoincrement=True,
)
LINE_TABLE = sa.Table(
    "batch_line",
    METADATA,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("custom_id", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
ITEM_TABLE = sa.Table(
    "batch_item",
    METADATA,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("custom_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("batch_item_by_state", "batch_id", "state"),
)
FILE_TABLE = sa.Table(
    "batch_file",
    METADATA,
    sa.Column("seq", _BIG_INTEGER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("expires", _TIME, nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Index("batch_file_by_tenant", "tenant", "seq"),
    sqlite_autoincrement=True,
)
PIECE_TABLE = sa.Table(
    "batch_file_piece",
    METADATA,
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class BatchRow(Struct, frozen=True, kw_only=True):
    """A row of `batch`. Times are seconds since the epoch; a file or time that is not yet: None."""

    seq: int = 0
    id: str
    kind: str  # messages, chat: whose API it came by
    tenant: str
    caller: str
    headers: bytes
    input_file: str = ""
    metadata: bytes = b""
    phase: str = "running"  # validating, running, finalizing, ended
    outcome: str = ""  # completed, failed, expired, cancelled
    faults: bytes = b""
    created: float
    expires: float
    started: float | None = None
    stopped: float | None = None
    """When its cancellation was asked for."""
    finalizing: float | None = None
    ended: float | None = None
    total: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    output_file: str | None = None
    error_file: str | None = None
    output_seconds: float | None = None
    """How long its files of results are kept, where its client has said."""


class FileRow(Struct, frozen=True, kw_only=True):
    """A row of `batch_file`; with a `batch_id` its content is that batch's results."""

    seq: int = 0
    id: str
    tenant: str
    name: str
    purpose: str
    size: int
    created: float
    expires: float
    batch_id: str = ""


class LineRow(Struct, frozen=True):
    """One request of a batch."""

    line: int
    custom_id: str
    body: bytes


class ItemRow(Struct, frozen=True):
    """What a request came to: `body` is the line that a client reads of it."""

    batch_id: str
    line: int
    custom_id: str
    state: str  # succeeded, errored, canceled, expired
    attempt: int = 0
    """Upstream calls that it took."""
    status: int = 0
    body: bytes = b""


def open_engine(url: str) -> sa.Engine:
    """An engine for that URL; a SQLite file is synced to disk with each commit."""
    # A fault is logged with its statement: what clients said must not stand there.
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
    if url.startswith("sqlite"):
        event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, _: object) -> None:
    # A transaction that will write takes the lock at once: one that began by reading could not
    # wait for it.
    connection.isolation_level = "IMMEDIATE"
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
