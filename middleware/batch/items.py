"""The items of a batch: each a call of its own, checked before any of them starts."""

import asyncio

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Headers
from gateway.dialect import Fields
from gateway.dialects.batch import BatchError, read_member
from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest

_MAX_ID_LENGTH = 64
_YIELD_EVERY = 50
_IDEMPOTENCY_HEADER = b"idempotency-key"


class BatchItem(Struct, frozen=True):
    """One request of a batch."""

    call: Call
    custom_id: str | None


async def read_items(call: Call, most: int) -> list[BatchItem]:
    """The items of a batch in order. BatchError names the first one that cannot be started."""
    raws = read_member(call.fields["messages"], list[Raw], "messages")
    if len(raws) > most:
        message = f"messages: {len(raws)} items are more than the {most} of one batch"
        raise BatchError(message, "messages")
    seen: dict[str, int] = {}
    items = []
    for place, raw in enumerate(raws):
        if place % _YIELD_EVERY == _YIELD_EVERY - 1:
            await asyncio.sleep(0)  # a thousand of them take 10 ms, and others call too
        items.append(_read_item(call, raw, place, seen))
    return items


def _read_item(batch: Call, raw: Raw, place: int, seen: dict[str, int]) -> BatchItem:
    path = f"messages.{place}"
    fields: Fields = read_member(raw, dict[str, Raw], path)
    custom_id = _read_custom_id(fields, path)
    if custom_id is not None and seen.setdefault(custom_id, place) != place:
        at = f"{path}.custom_id"
        first = seen[custom_id]
        raise BatchError(f'{at}: "{custom_id}" is that of messages.{first} already', at)
    fields.pop("stream", None)  # the answer of an item is always whole
    if "model" in batch.fields:
        fields.setdefault("model", batch.fields["model"])
    try:
        MESSAGES.check(fields)
        model = read_member(fields["model"], str, f"{path}.model")
    except InvalidRequest as fault:
        raise BatchError(f"{path}.{fault.message}", f"{path}.{fault.param}") from None
    except UnicodeDecodeError:
        raise BatchError(f"{path}: is not UTF-8", path) from None
    call = msgspec.structs.replace(
        batch,
        id=f"{batch.id}-{place}",
        dialect=MESSAGES,
        model=model,
        stream=False,
        fields=fields,
        headers=_make_item_headers(batch.headers, place),
    )
    return BatchItem(call, custom_id)


def _read_custom_id(fields: Fields, path: str) -> str | None:
    if "custom_id" not in fields:
        return None
    at = f"{path}.custom_id"
    custom_id = read_member(fields.pop("custom_id"), str, at)
    if not 0 < len(custom_id) <= _MAX_ID_LENGTH:
        raise BatchError(f"{at}: must have 1 to {_MAX_ID_LENGTH} characters", at)
    return custom_id


def _make_item_headers(headers: Headers, place: int) -> Headers:
    """The batch's headers; an idempotency key in them becomes one of the item's own."""
    return [
        (name, value + b"-%d" % place if name == _IDEMPOTENCY_HEADER else value)
        for name, value in headers
    ]
