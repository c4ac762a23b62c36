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

from gateway.batches.content import RESULTS
from gateway.batches.files import Files
from gateway.batches.forms import unanswered
from gateway.batches.items import Road, answer
from gateway.batches.lines import Refused, read_input
from gateway.batches.store import Store
from gateway.batches.tables import Batch, File, Item, Line, connected
from gateway.config.load import ConfigError, Fault
from gateway.config.schema import Batches
from gateway.errors import Unavailable
from gateway.fanout.limiter import Limiter
from gateway.secret import Secret
from gateway.workers.peers import ALONE, Peers

_log = structlog.get_logger("interlingua")
GRACE = 5.0
"""Seconds that items in flight have to end once the gateway is told to stop."""
_SWEEP = 300.0
_LEADER = 1
_BEGIN, _FORGET, _SLOTS = "batch begin", "batch forget", "batch slots"
_REST = 2000
"""Lines that are canceled, or expire, in one commit."""


class Desk:
    """What the endpoints ask, and what the engine works with."""

    def __init__(self, options: Batches, url: str, road: Road, peers: Peers = ALONE) -> None:
        self.options = options
        self._url = url
        self._road = road
        self._peers = peers
        self._leads = peers.place == _LEADER
        """Whether batches are worked off here: one of several workers does, the others ask it."""
        database = connected(url)
        self.store = Store(database)
        self.files = Files(database)
        self._slots = Limiter(self._room)
        self._results = Results(self.store)
        self._credentials: dict[str, Secret] = {}
        """Those of clients that bring their own: in memory only, for the disk is no place."""
        self._leaving = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes up the batches that have not ended; left, it pauses those under way."""
        async with AsyncExitStack() as stack:
            if not self._leads:
                stack.push_async_callback(asyncio.to_thread, self.store.engine.dispose)
                yield
                return
            # It takes a second to import, and reads files: the loop goes on meanwhile.
            await asyncio.to_thread(import_module, "gateway.batches.engine")
            from gateway.batches.engine import Engine, Work  # noqa: PLC0415

            node = self.options.node or _node(self._url)
            self._engine = Engine(self._url, connected, node, self.options.poll)
            self._peers.answer(_BEGIN, self._begin_for)
            self._peers.answer(_FORGET, self._forget_for)
            self._peers.answer(_SLOTS, self._slots_for)
            if self._url.startswith("sqlite:"):
                path = Path(self._url.removeprefix("sqlite:///"))
                stack.callback(os.close, await asyncio.to_thread(locked, path))
            await asyncio.to_thread(self.store.prepare)
            stack.push_async_callback(asyncio.to_thread, self.store.engine.dispose)
            await stack.enter_async_context(self._results.running())
            work = Work(self._prepare, self._chunk, self._finish)
            await stack.enter_async_context(self._engine.running(work))
            await self._begin_open()
            sweeping = asyncio.get_running_loop().create_task(self._sweep())
            try:
                yield
            finally:
                sweeping.cancel()
                self._leaving = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(GRACE):
                        await self._quiet()

    # --- asked by endpoints -----------------------------------------------------------------------

    async def take(self, batch: Batch, lines: list[Line], credential: Secret | None) -> None:
        """The batch is on disk and will be worked off."""
        await asyncio.to_thread(self.store.add, batch, lines)
        begun = False
        try:
            await self._begin(batch.id, credential)
            begun = True
        finally:
            if not begun:  # the client is told that nothing was taken
                await asyncio.to_thread(self.store.remove, batch.id)

    async def remove(self, batch_id: str) -> None:
        """The batch has never been."""
        await asyncio.to_thread(self.store.remove, batch_id)
        if self._leads:
            await self._engine.forget([batch_id])
        else:
            await self._peers.ask(_FORGET, batch_id.encode(), to=_LEADER)

    async def _begin(self, batch_id: str, credential: Secret | None) -> None:
        if self._leads:
            if credential is not None:
                self._credentials[batch_id] = credential
            await self._engine.begin(batch_id)
            return
        about = msgspec.msgpack.encode((batch_id, credential.reveal() if credential else None))
        if not await self._peers.ask(_BEGIN, about, to=_LEADER):
            raise Unavailable("batches cannot be taken at the moment; send the request again")

    async def _begin_for(self, about: bytes) -> bytes:
        """Another worker has taken a batch."""
        batch_id, key = msgspec.msgpack.decode(about, type=tuple[str, str | None])
        await self._begin(batch_id, Secret(key) if key is not None else None)
        return b"begun"

    async def _forget_for(self, about: bytes) -> bytes:
        await self._engine.forget([about.decode()])
        return b"forgotten"

    async def figures(self) -> dict[str, object]:
        """How it stands; None where the database, or the worker that leads, does not answer."""
        try:
            waiting: int | None = len(await asyncio.to_thread(self.store.open))
        except SQLAlchemyError:
            waiting = None
        said = [await self._slots_for(b"")]
        if not self._leads:
            said = await self._peers.ask(_SLOTS, to=_LEADER)
        taken, room = msgspec.json.decode(said[0]) if said else (None, None)
        engine = "embedded" if self._url.startswith("sqlite") else "postgres"
        return {"engine": engine, "open": waiting, "in_flight": taken, "room": room}

    async def _slots_for(self, _: bytes) -> bytes:
        return msgspec.json.encode((self._slots.taken, self._room()))

    # --- asked by the engine ----------------------------------------------------------------------

    async def _prepare(self, batch_id: str) -> None:
        """Reads the lines of a batch that came as a file."""
        batch = await self._batch(batch_id)
        if batch is not None and batch.phase == "validating":
            await asyncio.to_thread(self._read, batch)

    def _read(self, batch: Batch) -> None:
        lines = read_input(self.files.lines(batch.input_file), self.options.max_items)
        try:
            self.store.fill(batch.id, lines)
        except Refused as refused:
            self.store.refuse(batch.id, msgspec.json.encode(refused.faults))

    async def _chunk(self, batch_id: str, first: int) -> int:
        """Answers the next lines and keeps what they came to."""
        batch = await self._batch(batch_id)
        if batch is None or batch.phase != "running" or _over(batch):
            return -1
        lines = await asyncio.to_thread(self.store.pending, batch_id, first, self.options.chunk)
        if not lines:
            return -1
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(batch, stopping))
            async with asyncio.TaskGroup() as items:
                for line in lines:
                    items.create_task(self._item(batch, line, stopping))
            watching.cancel()
        if self._stopping():
            # Not all of them were answered: this chunk has no end, here it waits for its own.
            await asyncio.get_running_loop().create_future()
        return lines[-1].line + 1

    async def _item(self, batch: Batch, line: Line, stopping: asyncio.Event) -> None:
        async with self._slots:
            if stopping.is_set() or self._stopping():
                return
            item = await answer(self._road, batch, line, self._credentials.get(batch.id))
            # The slot is given away only when the result is on disk: no more than the slots' number
            # of lines is ever asked again.
            await self._results.keep(item)

    async def _watch(self, batch: Batch, stopping: asyncio.Event) -> None:
        """Sees the batch canceled or expired while a chunk of it is under way."""
        while not _over(batch):
            await asyncio.sleep(0.5)
            batch = await self._batch(batch.id) or msgspec.structs.replace(batch, expires=0.0)
        stopping.set()

    async def _finish(self, batch_id: str) -> None:
        """Ends the batch: what was not answered is canceled, or has expired."""
        batch = await self._batch(batch_id)
        if batch is None or batch.phase == "ended":
            return
        await asyncio.to_thread(self._end, batch)
        self._credentials.pop(batch_id, None)

    def _end(self, batch: Batch) -> None:
        store = self.store
        store.finalize(batch.id)
        state = "canceled" if batch.stopped else "expired"
        first = 0
        while rest := store.pending(batch.id, first, _REST):
            first = rest[-1].line + 1
            store.keep(
                Item(
                    batch.id, each.line, each.custom_id, state, body=unanswered(batch, each, state)
                )
                for each in rest
            )
        outcome = "cancelled" if batch.stopped else "completed"
        if store.counts(batch.id)["expired"]:
            outcome = "expired"
        files: dict[str, str | None] = {}
        if batch.kind == "chat":
            files["output_file"] = self._result_file(batch, "output")
            files["error_file"] = self._result_file(batch, "error")
        store.end(batch.id, outcome, **files)

    def _result_file(self, batch: Batch, which: str) -> str | None:
        now = time()
        file = File(
            id=new_id("file-"),
            tenant=batch.tenant,
            name=f"{batch.id}_{which}.jsonl",
            purpose="batch_output",
            size=0,
            created=now,
            expires=now + min(self.options.retention, batch.output_seconds or inf),
            batch_id=batch.id,
        )
        return self.files.add_results(file, RESULTS[which])

    # --- its own ----------------------------------------------------------------------------------

    async def _batch(self, batch_id: str) -> Batch | None:
        try:
            return await asyncio.to_thread(self.store.get, batch_id)
        except KeyError:  # deleted meanwhile
            return None

    def _room(self) -> int:
        options = self.options
        return max(1, options.concurrency - max(0, len(self._road.edge.open) - options.busy))

    def _stopping(self) -> bool:
        return self._leaving or self._road.edge.draining

    async def _quiet(self) -> None:
        while self._slots.taken:  # noqa: ASYNC110  # asked for once, when the process ends
            await asyncio.sleep(0.02)

    async def _begin_open(self) -> None:
        for batch_id in await asyncio.to_thread(self.store.open):
            await self._engine.begin(batch_id)

    async def _sweep(self) -> None:
        """Forgets what is old, and begins again what a fault of the database has ended."""
        while True:
            try:
                before = time() - self.options.retention
                await self._engine.forget(await asyncio.to_thread(self.store.forget, before))
                await asyncio.sleep(_SWEEP)
                await self._begin_open()
            except Exception as fault:  # noqa: BLE001  # the next time it may succeed
                _log.error("batches_not_swept", error=str(fault)[:500])
                await asyncio.sleep(_SWEEP)


class Results:
    """Keeps results in one commit for all that came while the last one was written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._news = asyncio.Event()

    async def keep(self, item: Item) -> None:
        """Returns when the result is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._news.set()
        await done

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The writer's life; what waits when it is left is still written."""
        writing = asyncio.get_running_loop().create_task(self._write())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            taken, self._waiting = self._waiting, []
            await self._kept([item for item, _ in taken])
            for _, done in taken:
                if not done.done():
                    done.set_result(None)

    async def _kept(self, items: list[Item]) -> None:
        """Tries until it succeeds: these answers are paid for, and a full disk has room again."""
        pause = 0.5
        while True:
            try:
                await asyncio.to_thread(self._store.keep, items)
            except Exception as fault:  # noqa: BLE001  # whatever it is, the answers stay
                _log.error("results_not_kept", items=len(items), error=str(fault)[:500])
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)
            else:
                return


def new_id(prefix: str) -> str:
    """An id that nobody can guess: where no keys are asked for, it is all that hides a batch."""
    return prefix + os.urandom(14).hex()


def database(options: Batches, env: Mapping[str, str]) -> str:
    """The URL that `engine` stands for. ConfigError where it is none, or the folder is unknown."""
    given = options.engine.reveal()
    if given == "embedded":
        return f"sqlite:///{_folder(env, options.folder) / 'batches.db'}"
    scheme, _, rest = given.partition("://")
    if rest and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    message = 'must be "off", "embedded", or a URL such as "postgres://user@host/name"'
    raise ConfigError([Fault(path="batch.engine", message=message)])


def _folder(env: Mapping[str, str], given: str) -> Path:
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


def locked(path: Path) -> int:
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


def _node(url: str) -> str:
    """A file belongs to one gateway whatever its host is called; a server may have many."""
    return "local" if url.startswith("sqlite") else socket.gethostname()


def _over(batch: Batch) -> bool:
    return batch.stopped is not None or batch.expires <= time()
