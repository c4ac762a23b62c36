"""A line of a batch on its way through the chain, as the caller that created the batch."""

from time import monotonic

import msgspec
import structlog

from gateway.batches.api_objects import render_result
from gateway.batches.tables import BatchRow, ItemRow, LineRow
from gateway.call import Call, Caller, Headers, Record
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.fanout.item import Item, ItemRunner
from gateway.secret import Secret
from gateway.wire.raw_json import decode, split_object

_log = structlog.get_logger("interlingua")
DIALECTS: dict[str, Dialect] = {"messages": MESSAGES, "chat": CHAT}
ITEM_HEADERS = (b"anthropic-version", b"anthropic-beta", b"openai-beta", b"x-gateway-cache")
"""The headers of a batch that its items are sent with; never one that holds a credential."""


async def run_item(
    runner: ItemRunner, batch: BatchRow, line: LineRow, credential: Secret | None
) -> ItemRow:
    """What the line came to; nothing that happens to it is more than its own failure."""
    record, caller = Record(monotonic(), caller=batch.caller), Caller(batch.caller, credential)
    item = Item(
        f"{batch.id}-{line.line}",
        DIALECTS[batch.kind],
        record,
        lambda: _make_call(batch, line, record, caller),
    )
    outcome = await runner.run(item, _accept_any)
    return ItemRow(
        batch.id,
        line.line,
        line.custom_id,
        "succeeded" if outcome.status == 200 else "errored",
        len(record.attempts),
        outcome.status,
        render_result(batch, line, item.id, outcome.status, outcome.body),
    )


def _accept_any(_body: bytes) -> None:
    """Any JSON object is an answer: it goes into the file of results as it is."""


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
