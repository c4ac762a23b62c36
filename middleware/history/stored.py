"""What is kept of a response, and how a conversation is put together from it."""

import hashlib
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Caller
from gateway.wire.raw_json import decode, present

Items = list[Raw]


class StoredResponse(Struct, array_like=True):
    """One response: what it was asked, what it said, and the responses that it goes on from.

    One that an upstream keeps itself has its target alone, to lead later calls there.
    """

    id: str
    before: list[str] = []
    """Ids of the earlier responses of the conversation, the first one first."""
    input: bytes = b"[]"
    """The items of its own request, a JSON array."""
    response: bytes = b""
    """The whole response, JSON."""
    target: str = ""

    def parse_output(self) -> Items:
        """Its items, as they can be given back."""
        return decode(self.response, _ResponseFields).output


class ItemFields(Struct):
    """What is looked at in an item of either side."""

    type: str | None = None
    id: str | None = None
    role: str | None = None


class _ResponseFields(Struct):
    id: str = ""
    output: list[Raw] = []
    status: str | None = None


def make_tenant(caller: Caller) -> str:
    """Whose a response is: the caller, and what it shows its upstream."""
    own = caller.credential
    whose = f"{caller.name}\0{own.digest().hex() if own else ''}"
    return hashlib.sha256(whose.encode()).hexdigest()[:32]


def read_input_items(call: Call) -> Items:
    """The items of a request; text is one user message. ValidationError where it is neither."""
    raw = call.fields.get("input")
    if raw is None or not present(raw):
        return []
    if memoryview(raw)[:1].tobytes() == b'"':
        text = decode(raw, str)
        return [Raw(msgspec.json.encode({"type": "message", "role": "user", "content": text}))]
    return decode(raw, Items)


def parse_finished_response(body: bytes) -> tuple[str, list[str]] | None:
    """The id of a response that came to its end, and those of its items; None for any other."""
    try:
        found = decode(body, _ResponseFields)
        if not found.id or found.status not in ("completed", "incomplete"):
            return None
        items = [decode(raw, ItemFields) for raw in found.output]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found.id, [item.id for item in items if item.id]


def list_input_items(kept: StoredResponse, earlier: list[StoredResponse]) -> list[dict[str, Any]]:
    """The items that a response was made from, each with an id, as the API lists them."""
    found: list[dict[str, Any]] = []
    for past in earlier:
        found += _complete_items(decode(past.input, Items), past.id)
        found += [decode(raw, dict[str, Any]) for raw in past.parse_output()]
    return found + _complete_items(decode(kept.input, Items), kept.id)


def _complete_items(items: Items, response: str) -> list[dict[str, Any]]:
    return [
        _complete_item(decode(raw, dict[str, Any]), response, at) for at, raw in enumerate(items)
    ]


def _complete_item(item: dict[str, Any], response: str, at: int) -> dict[str, Any]:
    digest = hashlib.sha256(f"{response}/input/{at}".encode()).hexdigest()[:48]
    named: dict[str, Any] = {"id": f"msg_{digest}", "type": "message"} | item
    if isinstance(named.get("content"), str):
        kind = "output_text" if named.get("role") == "assistant" else "input_text"
        named["content"] = [{"type": kind, "text": named["content"]}]
    if named["type"] == "message":
        named.setdefault("status", "completed")
    return named
