"""Repair of the tool calls in a Chat stream, and a record of their signatures.

Some servers give the calls of a stream no index, all the index 0, or no id, which clients that join
fragments by index cannot read; and end them in `stop`. Only that is changed: a chunk without such a
flaw stays as it came, and in one with it every other member does.
"""

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.chat.answer import ToolFragment
from gateway.dialects.chat.calls import read_name_and_arguments
from gateway.dialects.chat.scan import ObjectScanner
from gateway.dialects.common.arguments import make_call_id
from gateway.dialects.common.extra_content import read_signature
from gateway.dialects.common.signatures import CallerSignatures
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import data_of, events_in

_Members = dict[str, Raw]
_TOOL_CALLS_FINISH = Raw(b'"tool_calls"')
_STOP_FINISH = b'"stop"'
_encode = msgspec.json.encode


class _StreamedCall:
    """One call as far as it has come."""

    __slots__ = ("id", "place", "scanner")

    def __init__(self, place: int) -> None:
        self.place = place
        self.id = ""
        self.scanner = ObjectScanner()


class _ChoiceCalls:
    """The calls of one choice."""

    __slots__ = ("_by_index", "calls")

    def __init__(self) -> None:
        self.calls: list[_StreamedCall] = []
        self._by_index: dict[int | str, _StreamedCall] = {}

    def call_for_fragment(self, fragment: ToolFragment, name: str) -> _StreamedCall:
        """The call that a fragment belongs to, or a new one."""
        given = str(fragment.id or "")
        if fragment.index is None:
            known = next((call for call in self.calls if given and call.id == given), None)
            if known is None and not name and self.calls:
                known = self.calls[-1]
            return known or self._new_call()
        call = self._by_index.get(fragment.index)
        if call is None or (name and _is_next_call(call, given)):
            call = self._by_index[fragment.index] = self._new_call()
        return call

    def _new_call(self) -> _StreamedCall:
        self.calls.append(_StreamedCall(len(self.calls)))
        return self.calls[-1]


def _is_next_call(call: _StreamedCall, given: str) -> bool:
    """Whether a named fragment at the index of a call begins the next one."""
    return given != call.id if given else call.scanner.complete


class _ChunkChoices(Struct):
    """The members of a chunk that lead to its calls."""

    choices: list[Raw] | None = None


class ToolCallRepair:
    """An edit of one stream. Where not `mend`, signatures are learned and nothing is changed."""

    def __init__(self, kept: CallerSignatures | None, *, mend: bool) -> None:
        self._signatures = kept
        self._mend = mend
        self._choices: dict[int, _ChoiceCalls] = {}

    def __call__(self, events: bytes) -> bytes:
        """The events, those with a flaw mended."""
        if b'"tool_calls"' in events or (self._choices and b'"finish_reason"' in events):
            return b"".join([self._repair_event(event) for event in events_in(events)])
        return events

    def _repair_event(self, event: bytes) -> bytes:
        data = data_of(event)
        try:
            choices = (decode(data, _ChunkChoices).choices or []) if data else []
            mended = [self._repair_choice(choice) for choice in choices]
        except (msgspec.ValidationError, UnicodeDecodeError):
            return event  # no chunk, or none of ours: the client may know what it says
        if not self._mend or all(new is old for new, old in zip(mended, choices, strict=True)):
            return event
        body = decode(data, _Members) | {"choices": Raw(_encode(mended))}
        return b"data: " + _encode(body) + event[len(event.rstrip(b"\r\n")) :]

    def _repair_choice(self, raw: Raw) -> Raw:
        members = decode(raw, _Members)
        at = decode(members.get("index", Raw(b"0")), int)
        changed: _Members = {}
        delta = members.get("delta", ABSENT)
        if b'"tool_calls"' in bytes(delta):
            delta_members = decode(delta, _Members)
            if present(delta_members.get("tool_calls", ABSENT)):
                mended = self._repair_calls(
                    delta_members["tool_calls"], self._choices.setdefault(at, _ChoiceCalls())
                )
                if mended is not None:
                    changed["delta"] = Raw(_encode(delta_members | {"tool_calls": mended}))
        if at in self._choices and bytes(members.get("finish_reason", ABSENT)) == _STOP_FINISH:
            changed["finish_reason"] = _TOOL_CALLS_FINISH
        return Raw(_encode(members | changed)) if changed else raw

    def _repair_calls(self, raw: Raw, choice: _ChoiceCalls) -> Raw | None:
        """The calls as they should be; None where they are."""
        fragments = decode(raw, list[Raw])
        mended = [self._repair_call(fragment, choice) for fragment in fragments]
        if all(new is old for new, old in zip(mended, fragments, strict=True)):
            return None
        return Raw(_encode(mended))

    def _repair_call(self, raw: Raw, choice: _ChoiceCalls) -> Raw:
        fragment = decode(raw, ToolFragment)
        name, arguments = read_name_and_arguments(fragment)
        call = choice.call_for_fragment(fragment, name)
        changed: dict[str, object] = {}
        if not call.id:
            taken = {each.id for each in choice.calls}
            given = str(fragment.id or "")
            call.id = given if given and given not in taken else make_call_id()
            if call.id != fragment.id:
                changed["id"] = call.id
        call.scanner.feed(arguments)
        if fragment.index != call.place:
            changed["index"] = call.place
        if self._signatures is not None and (signature := read_signature(fragment.extra_content)):
            self._signatures.keep(call.id if self._mend else str(fragment.id or ""), signature)
        return Raw(_encode(decode(raw, _Members) | changed)) if changed else raw
