"""The batches of one gateway: taken, worked off, told of, forgotten."""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from math import inf
from pathlib import Path
from time import time

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.batches.api_objects import render_unsent
from gateway.batches.content import RESULT_STATES
from gateway.batches.files import FileStore
from gateway.batches.items import run_item
from gateway.batches.lines import InputRefused, read_input
from gateway.batches.store import BatchStore
from gateway.batches.tables import BatchRow, FileRow, ItemRow, LineRow, open_engine
from gateway.config.load import ConfigError, Fault
from gateway.config.schema import Batches
from gateway.errors import Unavailable
from gateway.fanout.item import ItemRunner
from gateway.fanout.limiter import Limiter
from gateway.secret import Secret
from gateway.workers.peers import NO_PEERS, Peers

_log = structlog.get_logger("interlingua")
STOP_GRACE = 5.0
"""Seconds that items in flight have to end once the gateway is told to stop."""
_SWEEP_INTERVAL = 300.0
_LEADER = 1
_BEGIN, _FORGET, _SLOTS = "batch begin", "batch forget", "batch slots"
_UNSENT_PER_COMMIT = 2000
"""Lines that are canceled, or expire, in one commit."""


class BatchScheduler:
    """What the endpoints ask, and what the engine works with."""

    def __init__(
        self, options: Batches, url: str, runner: ItemRunner, peers: Peers = NO_PEERS
    ) -> None:
        self.options = options
        self._url = url
        self._item_chain = runner
        self._peers = peers
        self._is_leader = peers.place == _LEADER
        """Whether batches are worked off here: one of several workers does, the others ask it."""
        database = open_engine(url)
        self.store = BatchStore(database)
        self.files = FileStore(database)
        self._slots = Limiter(self._count_slots)
        self._results = ResultWriter(self.store)
        self._credentials: dict[str, Secret] = {}
        """Those of clients that bring their own: in memory only, for the disk is no place."""
        self._is_leaving = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes up the batches that have not ended; left, it pauses those under way."""
        async with AsyncExitStack() as stack:
            if not self._is_leader:
                stack.push_async_callback(asyncio.to_thread, self.store.engine.dispose)
                yield
                return
            # It takes a second to import, and reads files: the loop goes on meanwhile.
            await asyncio.to_thread(import_module, "gateway.batches.engine")
            from gateway.batches.engine import BatchSteps, WorkflowEngine  # noqa: PLC0415

            node = self.options.node or _get_node_name(self._url)
            self._engine = WorkflowEngine(self._url, open_engine, node, self.options.poll)
            self._peers.answer(_BEGIN, self._answer_begin)
            self._peers.answer(_FORGET, self._answer_forget)
            self._peers.answer(_SLOTS, self._answer_slots)
            if self._url.startswith("sqlite:"):
                path = Path(self._url.removeprefix("sqlite:///"))
                stack.callback(os.close, await asyncio.to_thread(lock_folder, path))
            await asyncio.to_thread(self.store.create_tables)
            stack.push_async_callback(asyncio.to_thread, self.store.engine.dispose)
            await stack.enter_async_context(self._results.running())
            work = BatchSteps(self._prepare_batch, self._run_chunk, self._finish_batch)
            await stack.enter_async_context(self._engine.running(work))
            await self._resume_open()
            sweeping = asyncio.get_running_loop().create_task(self._sweep_forever())
            try:
                yield
            finally:
                sweeping.cancel()
                self._is_leaving = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_GRACE):
                        await self._wait_idle()

    # --- asked by endpoints -----------------------------------------------------------------------

    async def add_batch(
        self, batch: BatchRow, lines: list[LineRow], credential: Secret | None
    ) -> None:
        """The batch is on disk and will be worked off."""
        await asyncio.to_thread(self.store.add_batch, batch, lines)
        begun = False
        try:
            await self._begin_batch(batch.id, credential)
            begun = True
        finally:
            if not begun:  # the client is told that nothing was taken
                await asyncio.to_thread(self.store.remove_batch, batch.id)

    async def remove_batch(self, batch_id: str) -> None:
        """The batch has never been."""
        await asyncio.to_thread(self.store.remove_batch, batch_id)
        if self._is_leader:
            await self._engine.delete_workflows([batch_id])
        else:
            await self._peers.ask(_FORGET, batch_id.encode(), to=_LEADER)

    async def _begin_batch(self, batch_id: str, credential: Secret | None) -> None:
        if self._is_leader:
            if credential is not None:
                self._credentials[batch_id] = credential
            await self._engine.enqueue_batch(batch_id)
            return
        about = msgspec.msgpack.encode((batch_id, credential.reveal() if credential else None))
        if not await self._peers.ask(_BEGIN, about, to=_LEADER):
            raise Unavailable("batches cannot be taken at the moment; send the request again")

    async def _answer_begin(self, about: bytes) -> bytes:
        """Another worker has taken a batch."""
        batch_id, key = msgspec.msgpack.decode(about, type=tuple[str, str | None])
        await self._begin_batch(batch_id, Secret(key) if key is not None else None)
        return b"begun"

    async def _answer_forget(self, about: bytes) -> bytes:
        await self._engine.delete_workflows([about.decode()])
        return b"forgotten"

    async def get_status(self) -> dict[str, object]:
        """How it stands; None where the database, or the worker that leads, does not answer."""
        try:
            waiting: int | None = len(await asyncio.to_thread(self.store.list_open))
        except SQLAlchemyError:
            waiting = None
        said = [await self._answer_slots(b"")]
        if not self._is_leader:
            said = await self._peers.ask(_SLOTS, to=_LEADER)
        taken, room = msgspec.json.decode(said[0]) if said else (None, None)
        engine = "embedded" if self._url.startswith("sqlite") else "postgres"
        return {"engine": engine, "open": waiting, "in_flight": taken, "room": room}

    async def _answer_slots(self, _: bytes) -> bytes:
        return msgspec.json.encode((self._slots.taken, self._count_slots()))

    # --- asked by the engine ----------------------------------------------------------------------

    async def _prepare_batch(self, batch_id: str) -> None:
        """Reads the lines of a batch that came as a file."""
        batch = await self._find_batch(batch_id)
        if batch is not None and batch.phase == "validating":
            await asyncio.to_thread(self._read_lines, batch)

    def _read_lines(self, batch: BatchRow) -> None:
        lines = read_input(self.files.iter_lines(batch.input_file), self.options.max_items)
        try:
            self.store.fill_lines(batch.id, lines)
        except InputRefused as refused:
            self.store.fail_batch(batch.id, msgspec.json.encode(refused.faults))

    async def _run_chunk(self, batch_id: str, first: int) -> int:
        """Answers the next lines and keeps what they came to."""
        batch = await self._find_batch(batch_id)
        if batch is None or batch.phase != "running" or _is_over(batch):
            return -1
        lines = await asyncio.to_thread(
            self.store.list_pending, batch_id, first, self.options.chunk
        )
        if not lines:
            return -1
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch_stop(batch, stopping))
            async with asyncio.TaskGroup() as items:
                for line in lines:
                    items.create_task(self._run_item(batch, line, stopping))
            watching.cancel()
        if self._is_stopping():
            # Not all of them were answered: this chunk has no end, here it waits for its own.
            await asyncio.get_running_loop().create_future()
        return lines[-1].line + 1

    async def _run_item(self, batch: BatchRow, line: LineRow, stopping: asyncio.Event) -> None:
        async with self._slots:
            if stopping.is_set() or self._is_stopping():
                return
            item = await run_item(self._item_chain, batch, line, self._credentials.get(batch.id))
            # The slot is given away only when the result is on disk: no more than the slots' number
            # of lines is ever asked again.
            await self._results.save_result(item)

    async def _watch_stop(self, batch: BatchRow, stopping: asyncio.Event) -> None:
        """Sees the batch canceled or expired while a chunk of it is under way."""
        while not _is_over(batch):
            await asyncio.sleep(0.5)
            batch = await self._find_batch(batch.id) or msgspec.structs.replace(batch, expires=0.0)
        stopping.set()

    async def _finish_batch(self, batch_id: str) -> None:
        """Ends the batch: what was not answered is canceled, or has expired."""
        batch = await self._find_batch(batch_id)
        if batch is None or batch.phase == "ended":
            return
        await asyncio.to_thread(self._end_batch, batch)
        self._credentials.pop(batch_id, None)

    def _end_batch(self, batch: BatchRow) -> None:
        store = self.store
        store.start_finalizing(batch.id)
        state = "canceled" if batch.stopped else "expired"
        first = 0
        while rest := store.list_pending(batch.id, first, _UNSENT_PER_COMMIT):
            first = rest[-1].line + 1
            store.save_items(
                ItemRow(
                    batch.id,
                    each.line,
                    each.custom_id,
                    state,
                    body=render_unsent(batch, each, state),
                )
                for each in rest
            )
        outcome = "cancelled" if batch.stopped else "completed"
        if store.count_states(batch.id)["expired"]:
            outcome = "expired"
        files: dict[str, str | None] = {}
        if batch.kind == "chat":
            files["output_file"] = self._add_result_file(batch, "output")
            files["error_file"] = self._add_result_file(batch, "error")
        store.end_batch(batch.id, outcome, **files)

    def _add_result_file(self, batch: BatchRow, which: str) -> str | None:
        now = time()
        file = FileRow(
            id=new_id("file-"),
            tenant=batch.tenant,
            name=f"{batch.id}_{which}.jsonl",
            purpose="batch_output",
            size=0,
            created=now,
            expires=now + min(self.options.retention, batch.output_seconds or inf),
            batch_id=batch.id,
        )
        return self.files.add_result_file(file, RESULT_STATES[which])

    # --- its own ----------------------------------------------------------------------------------

    async def _find_batch(self, batch_id: str) -> BatchRow | None:
        try:
            return await asyncio.to_thread(self.store.get_batch, batch_id)
        except KeyError:  # deleted meanwhile
            return None

    def _count_slots(self) -> int:
        options = self.options
        return max(1, options.concurrency - max(0, len(self._item_chain.edge.open) - options.busy))

    def _is_stopping(self) -> bool:
        return self._is_leaving or self._item_chain.edge.draining

    async def _wait_idle(self) -> None:
        while self._slots.taken:  # noqa: ASYNC110  # asked for once, when the process ends
            await asyncio.sleep(0.02)

    async def _resume_open(self) -> None:
        for batch_id in await asyncio.to_thread(self.store.list_open):
            await self._engine.enqueue_batch(batch_id)

    async def _sweep_forever(self) -> None:
        """Forgets what is old, and begins again what a fault of the database has ended."""
        while True:
            try:
                before = time() - self.options.retention
                await self._engine.delete_workflows(
                    await asyncio.to_thread(self.store.remove_old, before)
                )
                await asyncio.sleep(_SWEEP_INTERVAL)
                await self._resume_open()
            except Exception as fault:  # noqa: BLE001  # the next time it may succeed
                _log.error("batches_not_swept", error=str(fault)[:500])
                await asyncio.sleep(_SWEEP_INTERVAL)


class ResultWriter:
    """Keeps results in one commit for all that came while the last one was written."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store
        self._waiting: list[tuple[ItemRow, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()

    async def save_result(self, item: ItemRow) -> None:
        """Returns when the result is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._changed.set()
        await done

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The writer's life; what waits when it is left is still written."""
        writing = asyncio.get_running_loop().create_task(self._write_forever())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write_forever(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            taken, self._waiting = self._waiting, []
            await self._save_items([item for item, _ in taken])
            for _, done in taken:
                if not done.done():
                    done.set_result(None)

    async def _save_items(self, items: list[ItemRow]) -> None:
        """Tries until it succeeds: these answers are paid for, and a full disk has room again."""
        pause = 0.5
        while True:
            try:
                await asyncio.to_thread(self._store.save_items, items)
            except Exception as fault:  # noqa: BLE001  # whatever it is, the answers stay
                _log.error("results_not_kept", items=len(items), error=str(fault)[:500])
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)
            else:
                return


def new_id(prefix: str) -> str:
    """An id that nobody can guess: where no keys are asked for, it is all that hides a batch."""
    return prefix + os.urandom(14).hex()


def get_database_url(options: Batches, env: Mapping[str, str]) -> str:
    """The URL that `engine` stands for. ConfigError where it is none, or the folder is unknown."""
    given = options.engine.reveal()
    if given == "embedded":
        return f"sqlite:///{_get_folder(env, options.folder) / 'batches.db'}"
    scheme, _, rest = given.partition("://")
    if rest and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    message = 'must be "off", "embedded", or a URL such as "postgres://user@host/name"'
    raise ConfigError([Fault(path="batch.engine", message=message)])


def _get_folder(env: Mapping[str, str], given: str) -> Path:
    if given:
        return Path(given).absolute() / "batches"
    state = env.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state) / "batches"
    home = env.get("XDG_STATE_HOME", "")
    if not home.startswith("/"):
        if not env.get("HOME"):
            message = "name a folder: neither STATE_DIRECTORY nor HOME is set"
            raise ConfigError([Fault(path="batch.folder", message=message)])
        home = f"{env['HOME']}/.local/state"
    return Path(home) / "interlingua" / "batches"


def lock_folder(path: Path) -> int:
    """Makes the folder and holds it for this process; the lock goes with the file's closing."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise RuntimeError(f"{folder} is in use by another gateway") from None
    return lock


def _get_node_name(url: str) -> str:
    """A file belongs to one gateway whatever its host is called; a server may have many."""
    return "local" if url.startswith("sqlite") else socket.gethostname()


def _is_over(batch: BatchRow) -> bool:
    return batch.stopped is not None or batch.expires <= time()
