"""Reasoning items of a request that goes on in its own dialect, where this gateway sealed some.

What the target minted is made its own again, under its own id; what another upstream minted would
be refused, and is left out.
"""

import msgspec
from msgspec import Raw

from gateway.dialects.responses.answer_wire import OutputItem
from gateway.dialects.responses.reasoning import unpack_reasoning
from gateway.neutral.seal import PREFIX, Seal, sealed_in
from gateway.wire.raw_json import decode


def restore_items(items: list[Raw], seal: Seal, target: tuple[str, str]) -> tuple[list[Raw], bool]:
    """The items that `target` takes, provider and model, and whether any was left out."""
    kept: list[Raw] = []
    dropped = False
    for raw in items:
        blob = _find_sealed_blob(raw) if sealed_in(bytes(raw)) else None
        if blob is None:
            kept.append(raw)
            continue
        sealed = seal.unseal(blob)
        own = sealed is not None and (sealed.provider, sealed.model) == target
        if sealed is None or not own or sealed.kind == "text":
            dropped = True
        else:
            kept.append(_restore_item(raw, sealed.data))
    return kept, dropped


def _find_sealed_blob(raw: Raw) -> str | None:
    """What the gateway sealed in a reasoning item; None in any other."""
    try:
        item = decode(raw, OutputItem)
    except msgspec.ValidationError:
        return None
    blob = item.encrypted_content or ""
    return blob if item.type == "reasoning" and blob.startswith(PREFIX) else None


def _restore_item(raw: Raw, data: str) -> Raw:
    id, encrypted = unpack_reasoning(data)
    members: dict[str, object] = {**decode(raw, dict[str, Raw])}
    members["encrypted_content"] = encrypted
    if id:
        members["id"] = id
    else:
        members.pop("id", None)
    return Raw(msgspec.json.encode(members))
