"""A line of a batch on its way through the chain, as the caller that created the batch."""

from time import monotonic
from typing import Any

import msgspec
import structlog
from msgspec import Raw, Struct

from gateway.batches.api_objects import render_result
from gateway.batches.tables import BatchRow, ItemRow, LineRow
from gateway.call import Call, Caller, Headers, Record
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge
from gateway.errors import BadAnswer, GatewayError
from gateway.plugin import Next
from gateway.reply import Reply
from gateway.secret import Secret
from gateway.telemetry.log import log_call
from gateway.wire.raw_json import decode, split_object

_log = structlog.get_logger("interlingua")
DIALECTS: dict[str, Dialect] = {"messages": MESSAGES, "chat": CHAT}
ITEM_HEADERS = (b"anthropic-version", b"anthropic-beta", b"openai-beta", b"x-gateway-cache")
"""The headers of a batch that its items are sent with; never one that holds a credential."""


class ItemChain(Struct, frozen=True):
    """Where the items of all batches go."""

    edge: Edge
    chain: Next
    """The links behind those that know the caller and take batches."""


async def run_item(
    road: ItemChain, batch: BatchRow, line: LineRow, credential: Secret | None
) -> ItemRow:
    """What the line came to; nothing that happens to it is more than its own failure."""
    dialect = DIALECTS[batch.kind]
    record = Record(monotonic(), caller=batch.caller)
    call_id = f"{batch.id}-{line.line}"
    status = 0
    try:
        call = _make_call(batch, line, record, Caller(batch.caller, credential))
        status, body = await _run_call(road, call)
    except GatewayError as error:
        status, body = _make_failure(dialect, record, call_id, error)
    except Exception as fault:  # noqa: BLE001  # the others must not fail with this one
        _log.error("fault", request_id=call_id, kind=type(fault).__name__, exc_info=True)
        unexpected = GatewayError("the gateway failed; its log has the details")
        status, body = _make_failure(dialect, record, call_id, unexpected)
    finally:
        record.end = record.end or "drained"
        # It is a call and is paid for: counted and logged as one.
        road.edge.totals.record_call(call_id, dialect.name, record, status, streamed=False)
        log_call(call_id, dialect.name, record, status)
    return ItemRow(
        batch.id,
        line.line,
        line.custom_id,
        "succeeded" if status == 200 else "errored",
        len(record.attempts),
        status,
        render_result(batch, line, call_id, status, body),
    )


def _make_call(batch: BatchRow, line: LineRow, record: Record, caller: Caller) -> Call:
    fields = split_object(line.body)
    fields.pop("stream", None)  # the answer of an item is always whole
    fields.pop("stream_options", None)
    ident = f"{batch.id}-{line.line}"
    headers: Headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in msgspec.json.decode(batch.headers, type=list[tuple[str, str]])
    ]
    # The same for a line that is asked again: an upstream that honours it answers, and bills, once.
    headers.append((b"idempotency-key", ident.encode()))
    dialect = DIALECTS[batch.kind]
    model = decode(fields["model"], str)
    return Call(ident, dialect, model, False, fields, headers, record, caller)


async def _run_call(road: ItemChain, call: Call) -> tuple[int, bytes]:
    reply = await road.chain(call)
    try:
        return _read_reply(reply, call)
    finally:
        await reply.aclose()


def _read_reply(reply: Reply, call: Call) -> tuple[int, bytes]:
    if not isinstance(reply.body, bytes):
        raise BadAnswer("a stream came back that was not asked for")
    try:
        body = _normalize_json(reply.body)
    except (msgspec.MsgspecError, RecursionError):
        if reply.error is not None:
            raise reply.error from None
        raise BadAnswer("the upstream sent a body that is no JSON object") from None
    if reply.error is None:
        call.record.end = "complete"
        return 200, body
    _record_error(call.record, reply.error)
    # An error that came in a 200 is none for whoever reads the line.
    return reply.status if reply.status >= 400 else call.dialect.error_status(reply.error), body


def _normalize_json(body: bytes) -> bytes:
    """The body as one line of sound JSON: it becomes a part of another document."""
    body = body.decode("utf-8", "replace").encode()
    try:
        msgspec.json.decode(body, type=dict[str, Raw])
        return msgspec.json.format(body, indent=-1)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, or a mark at its start
        return msgspec.json.encode(decode(body, dict[str, Any]))


def _make_failure(
    dialect: Dialect, record: Record, call_id: str, error: GatewayError
) -> tuple[int, bytes]:
    _record_error(record, error)
    return dialect.error_status(error), dialect.write_error(error, call_id)


def _record_error(record: Record, error: GatewayError) -> None:
    record.end = "rejected" if error.status < 500 else "upstream_error"
    record.error = f"{error.kind}: {error.message}"
