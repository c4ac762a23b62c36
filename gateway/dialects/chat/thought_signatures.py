"""Chat at a server that signs tool calls: signatures kept from answers, put back into requests."""

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import AnswerSummary, Conversion
from gateway.dialects.chat.answer import Chunk, ToolFragment
from gateway.dialects.chat.digest import summarize
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.common.extra_content import (
    SKIP_SIGNATURE,
    add_extra_signature,
    read_signature,
)
from gateway.dialects.common.signatures import CALL_SIGNATURE, CallerSignatures
from gateway.neutral.events import Event, RedactedThinking, ToolStart
from gateway.wire.raw_json import ABSENT, decode
from gateway.wire.sse import Frame


def summarize_and_record(kept: CallerSignatures, body: bytes) -> AnswerSummary:
    """As in Chat; the signatures of a whole answer are kept."""
    if b'"thought_signature"' in body:
        _record_answer_signatures(kept, body)
    return summarize(body)


def _record_answer_signatures(kept: CallerSignatures, body: bytes) -> None:
    try:
        choices = decode(body.strip(), Chunk).choices or ()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    for choice in choices:
        message = choice.message or choice.delta
        for call in (message.tool_calls if message is not None else None) or ():
            if signature := read_signature(call.extra_content):
                kept.keep(_signature_key(call), signature)


class SignatureRecordingReader(ChatReader):
    """A reader that keeps the signatures it comes by."""

    def __init__(self, kept: CallerSignatures, conversion: Conversion) -> None:
        super().__init__(conversion)
        self._signatures = kept

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk."""
        return self._record_event_signatures(super().read(frame))

    def finish(self) -> list[Event]:
        """The events still due."""
        return self._record_event_signatures(super().finish())

    def _record_event_signatures(self, events: list[Event]) -> list[Event]:
        signature = ""
        for event in events:
            if type(event) is RedactedThinking and event.origin == CALL_SIGNATURE:
                signature = event.data
            elif type(event) is ToolStart and signature:
                self._signatures.keep(event.id, signature)
                signature = ""
        return events


def _signature_key(call: ToolFragment) -> str:
    """The call's id; older servers leave it empty, then what it calls."""
    if call.id or call.function is None:
        return str(call.id or "")
    given = call.function.arguments
    arguments = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return f"{call.function.name} {arguments}"


class _TurnCalls(Struct):
    """What a message says of its tool calls."""

    tool_calls: list[Raw] | None = None


def add_signatures(turn: Raw, kept: CallerSignatures, *, required: bool) -> Raw:
    """An assistant message with the signatures that its calls came with, where it has none itself.

    Where none is known and one is `required`, the first call gets the word that skips the check.
    msgspec.ValidationError or UnicodeDecodeError where it is no message.
    """
    if b'"tool_calls"' not in bytes(turn):
        return turn
    calls = decode(turn, _TurnCalls).tool_calls
    read = [decode(call, ToolFragment) for call in calls or ()]
    if not calls or any(read_signature(call.extra_content) for call in read):
        return turn
    found = [kept.find(_signature_key(call)) for call in read]
    if required and not any(found):
        found[0] = SKIP_SIGNATURE
    if not any(found):
        return turn
    signed = [
        _add_signature(call, signature) if signature else call
        for call, signature in zip(calls, found, strict=True)
    ]
    members = decode(turn, dict[str, Raw])
    return Raw(msgspec.json.encode(members | {"tool_calls": Raw(msgspec.json.encode(signed))}))


def _add_signature(call: Raw, signature: str) -> Raw:
    members = decode(call, dict[str, Raw])
    extra = add_extra_signature(members.get("extra_content", ABSENT), signature)
    return Raw(msgspec.json.encode(members | {"extra_content": extra}))
