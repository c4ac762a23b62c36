"""The items of a batch: each a call of its own, checked before any of them starts."""

import asyncio

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Headers
from gateway.dialect import Fields
from gateway.dialects.batch import BatchError, read
from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest

_ID_LIMIT = 64
_AT_ONCE = 50
_OF_ONE_REQUEST = b"idempotency-key"


class Item(Struct, frozen=True):
    """One request of a batch."""

    call: Call
    custom_id: str | None


async def read_items(call: Call, most: int) -> list[Item]:
    """The items of a batch in order. BatchError names the first one that cannot be started."""
    raws = read(call.fields["messages"], list[Raw], "messages")
    if len(raws) > most:
        message = f"messages: {len(raws)} items are more than the {most} of one batch"
        raise BatchError(message, "messages")
    seen: dict[str, int] = {}
    items = []
    for place, raw in enumerate(raws):
        if place % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)  # a thousand of them take 10 ms, and others call too
        items.append(_item(call, raw, place, seen))
    return items


def _item(batch: Call, raw: Raw, place: int, seen: dict[str, int]) -> Item:
    path = f"messages.{place}"
    fields: Fields = read(raw, dict[str, Raw], path)
    custom_id = _custom_id(fields, path)
    if custom_id is not None and seen.setdefault(custom_id, place) != place:
        at = f"{path}.custom_id"
        first = seen[custom_id]
        raise BatchError(f'{at}: "{custom_id}" is that of messages.{first} already', at)
    fields.pop("stream", None)  # the answer of an item is always whole
    if "model" in batch.fields:
        fields.setdefault("model", batch.fields["model"])
    try:
        MESSAGES.check(fields)
        model = read(fields["model"], str, f"{path}.model")
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
        headers=_headers(batch.headers, place),
    )
    return Item(call, custom_id)


def _custom_id(fields: Fields, path: str) -> str | None:
    if "custom_id" not in fields:
        return None
    at = f"{path}.custom_id"
    custom_id = read(fields.pop("custom_id"), str, at)
    if not 0 < len(custom_id) <= _ID_LIMIT:
        raise BatchError(f"{at}: must have 1 to {_ID_LIMIT} characters", at)
    return custom_id


def _headers(headers: Headers, place: int) -> Headers:
    """The batch's headers; an idempotency key in them becomes one of the item's own."""
    return [
        (name, value + b"-%d" % place if name == _OF_ONE_REQUEST else value)
        for name, value in headers
    ]
