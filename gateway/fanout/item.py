"""An item of a batch on its way through the chain: a call of its own, counted and logged so."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from msgspec import Raw, Struct

from gateway.call import Call, Record
from gateway.dialect import Dialect
from gateway.edge.exchange import Edge
from gateway.errors import BadAnswer, GatewayError
from gateway.plugin import Next
from gateway.reply import Reply
from gateway.telemetry.log import log_call
from gateway.wire.raw_json import decode

T = TypeVar("T")

_log = structlog.get_logger("interlingua")


class Item(Struct, frozen=True):
    """What is known of an item before it is a call: enough to log one that cannot become any."""

    id: str
    dialect: Dialect
    record: Record
    make_call: Callable[[], Call]


class ItemOutcome(Struct, Generic[T]):
    """How an item ended: with a value, or with an error."""

    status: int
    """The status that a client of a lone call would get."""
    body: bytes
    """One JSON object: the answer, or the error in the item's dialect."""
    value: T | None = None
    """What was read of an answer; None with an error."""
    error: GatewayError | None = None


class ItemRunner(Struct, frozen=True):
    """Sends items through the rest of the chain."""

    edge: Edge
    next: Next
    """The links behind those that know the caller and take batches."""
    expects: str = "JSON object"
    """What the error for a body that cannot be read says that it is not."""
    interrupted: str = "client_gone"
    """How the log calls the end of an item that was cancelled while the gateway went on."""

    async def run(self, item: Item, read: Callable[[bytes], T]) -> ItemOutcome[T]:
        """Answer one item; `read` is given the JSON of an answer and may raise a GatewayError.

        Nothing that happens to an item is more than its own failure.
        """
        record, status = item.record, 0
        try:
            outcome = await self._fetch(item.make_call(), read)
            status = outcome.status
        except GatewayError as error:
            outcome = _fail(item, error)
            status = outcome.status
        except Exception as fault:  # noqa: BLE001  # the others must not fail with this one
            _log.error("fault", request_id=item.id, kind=type(fault).__name__, exc_info=True)
            outcome = _fail(item, GatewayError("the gateway failed; its log has the details"))
            status = outcome.status
        finally:
            record.end = record.end or ("drained" if self.edge.draining else self.interrupted)
            name = item.dialect.name
            self.edge.totals.record_call(item.id, name, record, status, streamed=False)
            log_call(item.id, name, record, status)
        return outcome

    async def _fetch(self, call: Call, read: Callable[[bytes], T]) -> ItemOutcome[T]:
        reply = await self.next(call)
        try:
            return _read_reply(reply, call, read, self.expects)
        finally:
            await reply.aclose()


def _read_reply(
    reply: Reply, call: Call, read: Callable[[bytes], T], expects: str
) -> ItemOutcome[T]:
    if not isinstance(reply.body, bytes):
        raise BadAnswer("a stream came back that was not asked for")
    try:
        body = _normalize_json(reply.body)
    except (msgspec.MsgspecError, RecursionError):
        if reply.error is not None:
            raise reply.error from None
        raise BadAnswer(f"the upstream sent a body that is no {expects}") from None
    if reply.error is None:
        outcome = ItemOutcome(200, body, read(body))
        call.record.end = "complete"
        return outcome
    _record_error(call.record, reply.error)
    # An error that came in a 200 is none for whoever reads the line.
    status = reply.status if reply.status >= 400 else call.dialect.error_status(reply.error)
    return ItemOutcome(status, body, None, reply.error)


def _normalize_json(body: bytes) -> bytes:
    """The object on one line of sound JSON, to stand in another document. MsgspecError."""
    body = body.decode("utf-8", "replace").encode()
    try:
        msgspec.json.decode(body, type=dict[str, Raw])
        return msgspec.json.format(body, indent=-1)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, or a byte-order mark at its start
        return msgspec.json.encode(decode(body, dict[str, Any]))


def _fail(item: Item, error: GatewayError) -> ItemOutcome[Any]:
    _record_error(item.record, error)
    body = item.dialect.write_error(error, item.id)
    return ItemOutcome(item.dialect.error_status(error), body, None, error)


def _record_error(record: Record, error: GatewayError) -> None:
    record.end = "rejected" if error.status < 500 else "upstream_error"
    record.error = f"{error.kind}: {error.message}"
