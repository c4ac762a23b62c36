"""Durable execution: one workflow for each batch, one step for each chunk of its lines.

A process that dies leaves its workflows as they stood; the next one takes them up at the step that
had no end. What makes a step safe to take again is the table of results, not the engine: a line
with a result is not asked again.

DBOS is one for each process. Its workflows run in threads of its own and hand each step to the
loop on which all calls are made. Importing this module takes a second: only a gateway that serves
batches does.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID
from msgspec import Struct

T = TypeVar("T")
QUEUE_NAME = "interlingua-batches"
MAX_CONCURRENT_BATCHES = 16
"""Batches under way at a time; each has a thread that waits for its steps."""
_MAX_RETRY_PAUSE = 30.0
_MAX_ATTEMPTS = 1_000_000
_ENDED_STATUSES = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_log = structlog.get_logger("interlingua")


class BatchSteps(Struct, frozen=True):
    """What the steps of a batch do. Each may be done again, and then changes nothing."""

    prepare_batch: Callable[[str], Awaitable[None]]
    run_chunk: Callable[[str, int], Awaitable[int]]
    """Answers the next lines from that one on; the line to go on from, -1 where none is left."""
    finish_batch: Callable[[str], Awaitable[None]]


class WorkflowPaused(BaseException):
    """The process ends. Not an Exception: the engine would book the workflow as failed."""


class WorkflowEngine:
    """The workflows of this process. `node` is its name among those that share a database."""

    def __init__(
        self, url: str, connect: Callable[[str], sa.Engine], node: str, poll: float
    ) -> None:
        self._url = url
        self._connect = connect
        self._node = node
        self._poll = poll

    @asynccontextmanager
    async def running(self, work: BatchSteps) -> AsyncIterator[None]:
        """Takes up what was left, and takes new batches until it is left."""
        assert _state.work is None, "one engine for each process"
        _state.loop = asyncio.get_running_loop()
        _state.work = work
        _state.pausing.clear()
        try:
            await asyncio.to_thread(self._launch_dbos)
            yield
        finally:
            await asyncio.to_thread(_pause_workflows)
            _state.work = None

    async def enqueue_batch(self, batch_id: str) -> None:
        """The batch will be worked off, whatever happens to this process; again changes nothing."""
        await asyncio.to_thread(_enqueue_workflow, batch_id)

    async def delete_workflows(self, batch_ids: list[str]) -> None:
        """Drops what is kept of workflows that are over."""
        if batch_ids:
            await asyncio.to_thread(DBOS.delete_workflows, batch_ids)

    def _launch_dbos(self) -> None:
        logger = logging.getLogger("dbos")
        if not logger.handlers:  # else it would write to the terminal in a form of its own
            logger.addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": "interlingua",
            "system_database_url": self._url,
            "log_level": "WARNING",
            # Every version of this program goes on with what another has left.
            "application_version": "1",
            "executor_id": self._node,
        }
        if self._url.startswith("sqlite"):
            config["system_database_engine"] = self._connect(self._url)
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE_NAME,
            worker_concurrency=MAX_CONCURRENT_BATCHES,
            polling_interval_sec=self._poll,
            on_conflict="always_update",
        )


class _WorkflowState:
    """What the workflows of this process need: they are functions known by name, not objects."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.work: BatchSteps | None = None
        self.pausing = threading.Event()
        self.lock = threading.Lock()
        self.steps: set[Future[Any]] = set()
        self.open_count = 0


_state = _WorkflowState()


def _enqueue_workflow(batch_id: str) -> None:
    with SetWorkflowID(batch_id):
        handle = DBOS.enqueue_workflow(QUEUE_NAME, _run_batch, batch_id)
    # A workflow that was booked as over although its batch is not, after a fault of the database:
    # the same batch under another name.
    again = 0
    while handle.get_status().status in _ENDED_STATUSES and again < _MAX_ATTEMPTS:
        again += 1
        with SetWorkflowID(f"{batch_id}.{again}"):
            handle = DBOS.enqueue_workflow(QUEUE_NAME, _run_batch, batch_id)


def _pause_workflows() -> None:
    """Ends the steps under way; their workflows stay as they are, to be taken up again."""
    with _state.lock:
        _state.pausing.set()
        steps = list(_state.steps)
    for step in steps:
        step.cancel()
    pause = threading.Event()
    for _ in range(500):
        if not _state.open_count:
            break
        pause.wait(0.01)
    DBOS.destroy()


@DBOS.workflow(name="interlingua.batch", max_recovery_attempts=_MAX_ATTEMPTS)
def _run_batch(batch_id: str) -> None:
    with _state.lock:
        _state.open_count += 1
    try:
        _prepare_batch(batch_id)
        first = 0
        while first >= 0:
            first = _run_chunk(batch_id, first)
        _finish_batch(batch_id)
    finally:
        with _state.lock:
            _state.open_count -= 1


@DBOS.step(name="interlingua.prepare")
def _prepare_batch(batch_id: str) -> None:
    _retry_step(lambda work: work.prepare_batch(batch_id), batch_id)


@DBOS.step(name="interlingua.chunk")
def _run_chunk(batch_id: str, first: int) -> int:
    return _retry_step(lambda work: work.run_chunk(batch_id, first), batch_id)


@DBOS.step(name="interlingua.finish")
def _finish_batch(batch_id: str) -> None:
    _retry_step(lambda work: work.finish_batch(batch_id), batch_id)


def _retry_step(act: Callable[[BatchSteps], Awaitable[T]], batch_id: str) -> T:
    """What the act comes to on the loop, tried until it succeeds: a full disk has room again."""
    pause = 1.0
    while True:
        try:
            return _run_on_loop(act)
        except Exception as fault:  # noqa: BLE001  # an end of the workflow would lose the batch
            if _state.pausing.is_set():
                raise WorkflowPaused from None
            kind = type(fault).__name__
            _log.error("batch_fault", batch_id=batch_id, kind=kind, exc_info=True)
        if _state.pausing.wait(pause):
            raise WorkflowPaused
        pause = min(2 * pause, _MAX_RETRY_PAUSE)


def _run_on_loop(act: Callable[[BatchSteps], Awaitable[T]]) -> T:
    async def acting(work: BatchSteps) -> T:
        return await act(work)

    with _state.lock:
        if _state.pausing.is_set() or _state.work is None or _state.loop is None:
            raise WorkflowPaused
        step = asyncio.run_coroutine_threadsafe(acting(_state.work), _state.loop)
        _state.steps.add(step)
    try:
        return step.result()
    finally:
        _state.steps.discard(step)
