"""What must change although client and provider speak the same dialect; mostly nothing.

Reasoning that this gateway sealed came from a provider of another dialect: its own API would refuse
it. Some servers refuse an assistant turn with tool calls that says nothing of its reasoning,
and Gemini one whose calls lost the signature they came with, as many clients lose it. A Chat
server tells the usage of a stream only where it is asked to: the gateway counts, so it asks, and
what comes of that alone does not reach a client that did not.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Target
from gateway.capability import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.extra import signature_in
from gateway.dialects.chat.mended import CallsMended
from gateway.dialects.chat.signed import SignedChat, with_signatures
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.gemini.mended import signed, unsealed
from gateway.dialects.responses.restored import restored
from gateway.dialects.responses.wire import NAME as RESPONSES
from gateway.dialects.signatures import Kept, Signatures
from gateway.peers import Peers
from gateway.seal import PREFIX, Seal
from gateway.wire import ABSENT, decode, present

_SEALED = PREFIX.encode()
_NO_REASONING = Raw(b'""')
_SIGNATURES = Signatures()
"""Those of the process."""
_Told = tuple[str, tuple[str, str], str]
_TRUE = Raw(b"true")
_NO_OPTIONS = Raw(b"{}")


def speaks(target: Target, dialect: Dialect) -> bool:
    """Whether a call in the dialect goes to the target as it is."""
    if dialect in target.dialects:
        return True
    beside = (dialect is EMBEDDINGS and target.capability.embeddings) or (
        dialect is COMPLETIONS and target.capability.completions
    )
    return beside and CHAT in target.dialects


def fitted(call: Call, capability: Capability, seal: Seal) -> Call:
    """The call as its upstream takes it; the call itself where nothing has to change."""
    if call.dialect.name == "gemini":
        return _gemini(call, required=capability.thought_signatures == "required")
    call = _unsealed(call)
    if call.dialect.name == RESPONSES:
        return _restored(call, seal)
    if call.dialect.name != "chat":
        return call
    if capability.reasoning_out == "required_with_tools":
        call = _reasoned(call)
    if capability.thought_signatures != "none":
        call = _signed(call, required=capability.thought_signatures == "required")
    return _counted(call) if counts_alone(call, capability) else call


def counts_alone(call: Call, capability: Capability) -> bool:
    """Whether the usage of the stream is asked for by the gateway, and not by its client."""
    if not call.stream or call.dialect.name != "chat" or not capability.stream_usage:
        return False
    asked = _stream_options(call)
    return asked is not None and bytes(asked.get("include_usage", ABSENT)) != b"true"


def edit(dialect: Dialect, capability: Capability) -> Callable[[bytes], bytes] | None:
    """What mends the calls of an answer's stream and learns their signatures, if that is due."""
    kept = dialect.kept if isinstance(dialect, SignedChat) else None
    mend = capability.mend_calls and dialect.name == "chat"
    return CallsMended(kept, mend=mend) if kept is not None or mend else None


def _counted(call: Call) -> Call:
    options = (_stream_options(call) or {}) | {"include_usage": _TRUE}
    return call.with_field("stream_options", options)


def _stream_options(call: Call) -> dict[str, Raw] | None:
    """The client's options; None where they are none that a server could read."""
    raw = call.fields.get("stream_options", _NO_OPTIONS)
    if not present(raw):
        return {}
    try:
        return decode(raw, dict[str, Raw])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _restored(call: Call, seal: Seal) -> Call:
    """The call with the reasoning that its target minted, and without what others did."""
    raw, target = call.fields.get("input", ABSENT), call.target
    if target is None or _SEALED not in bytes(raw):
        return call
    try:
        before = decode(raw, list[Raw])
        items, dropped = restored(before, seal, (target.provider, target.model))
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if dropped:
        call.record.warnings = ["input:foreign_reasoning_dropped"]
    elif all(new is old for new, old in zip(items, before, strict=True)):
        return call
    return call.with_field("input", items)


def _gemini(call: Call, *, required: bool) -> Call:
    """The call without foreign reasoning; where calls must be signed, they are, if in name only."""
    raw = call.fields.get("contents", ABSENT)
    try:
        kept = unsealed(raw)
        made = signed(kept) if required else kept
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if kept is not raw:
        call.record.warnings = ["contents:foreign_reasoning_dropped"]
    return call if made is raw else call.with_field("contents", made)


def share_signatures(peers: Peers) -> None:
    """Has the other workers know what one keeps: a client's next call may come to any of them."""
    if peers.count == 1:
        return

    async def hear(about: bytes) -> bytes:
        _SIGNATURES.keep(*msgspec.msgpack.decode(about, type=_Told))
        return b""

    def tell(tenant: str, key: tuple[str, str], signature: str) -> None:
        peers.tell("signature", msgspec.msgpack.encode((tenant, key, signature)))

    peers.answer("signature", hear)
    _SIGNATURES.on_keep = tell


def signatures(call: Call) -> Kept:
    """The signatures of the call's tenant at its target."""
    credential = call.caller.credential
    whose = credential.digest().hex() if credential else ""
    return Kept(_SIGNATURES, f"{call.caller.name} {whose}", str(call.target))


def _signed(call: Call, *, required: bool) -> Call:
    """The call with the signatures that a client dropped; those of its answer will be kept."""
    kept = signatures(call)
    if "tools" in call.fields:  # else nothing will be called
        call = call.spoken(SignedChat(kept), call.fields)
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        before = decode(raw, list[Raw])
        turns = [with_signatures(turn, kept, required=required) for turn in before]
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if all(new is old for new, old in zip(turns, before, strict=True)):
        return call
    return call.with_field("messages", turns)


def _reasoned(call: Call) -> Call:
    """The call with `reasoning_content`, if only "", in every assistant turn that calls tools."""
    raw = call.fields.get("messages", ABSENT)
    if b'"tool_calls"' not in bytes(raw):
        return call
    try:
        turns = [_with_reasoning(turn) for turn in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # no conversation of ours: the upstream says what is wrong with it
    return call.with_field("messages", turns)


def _with_reasoning(turn: Raw) -> Raw:
    if b'"tool_calls"' not in bytes(turn):
        return turn
    members = decode(turn, dict[str, Raw])
    if not present(members.get("tool_calls", ABSENT)) or "reasoning_content" in members:
        return turn
    return Raw(msgspec.json.encode(members | {"reasoning_content": _NO_REASONING}))


class _Blob(Struct):
    """What a part may carry that only its own upstream takes back."""

    signature: str | None = None
    data: str | None = None


def _unsealed(call: Call) -> Call:
    """The call without sealed reasoning: where dialects agree, some other upstream minted it."""
    if call.body and call.body.find(_SEALED) < 0:
        return call  # to search a member of it would take a copy
    raw = call.fields.get("messages")
    if raw is None or _SEALED not in bytes(raw):
        return call
    try:
        pruned = [_pruned(message) for message in decode(raw, list[Raw])]
    except msgspec.ValidationError:
        return call  # no conversation of ours: the upstream says what is wrong with it
    kept = Raw(msgspec.json.encode([message for message in pruned if message is not None]))
    if bytes(kept) == bytes(raw):
        return call
    call.record.warnings = ["messages:foreign_reasoning_dropped"]
    return call.with_field("messages", kept)


def _pruned(message: Raw) -> Raw | None:
    """A message without the sealed parts of it; None where nothing else is in it."""
    if _SEALED not in bytes(message):
        return message
    members = decode(message, dict[str, Raw])
    _unsign(members)
    for name in ("content", "reasoning_details"):
        if not bytes(members.get(name, ABSENT)).startswith(b"["):
            continue
        parts = decode(members[name], list[Raw])
        kept = [part for part in parts if not _is_sealed(part)]
        if kept or not parts:
            members[name] = Raw(msgspec.json.encode(kept))
        elif name == "content":
            return None
        else:
            del members[name]
    return Raw(msgspec.json.encode(members))


def _unsign(members: dict[str, Raw]) -> None:
    """Takes sealed signatures out of a Chat message and its tool calls."""
    if signature_in(members.get("extra_content", ABSENT)).startswith(PREFIX):
        del members["extra_content"]
    calls = members.get("tool_calls", ABSENT)
    if _SEALED in bytes(calls):
        opened = decode(calls, list[dict[str, Raw]])
        for call in opened:
            _unsign(call)
        members["tool_calls"] = Raw(msgspec.json.encode(opened))


def _is_sealed(part: Raw) -> bool:
    try:
        blob = decode(part, _Blob)
    except msgspec.ValidationError:
        return False
    return any(text and text.startswith(PREFIX) for text in (blob.signature, blob.data))
