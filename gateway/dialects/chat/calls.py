"""Tool calls of a Chat stream, put in order: at most one is open, and each gets all its arguments.

A server may interleave the fragments of parallel calls, repeat a call's id, name or whole
arguments in every fragment, cut a name in pieces, or give every call the index 0.
"""

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import ToolFragment
from gateway.dialects.chat.scan import ObjectScanner
from gateway.dialects.common.arguments import (
    INVALID_ARGUMENTS,
    make_call_id,
    read_custom_input,
    wrapped_tool_names,
)
from gateway.dialects.common.extra_content import read_signature
from gateway.dialects.common.shapes import is_json_object
from gateway.dialects.common.signatures import CALL_SIGNATURE
from gateway.errors import BadAnswer
from gateway.neutral.events import ArgumentsDelta, Event, PartEnd, RedactedThinking, ToolStart


class _PartialCall:
    """One call as far as it has come."""

    __slots__ = (
        "closed", "custom", "id", "name", "opened", "pieces", "scanner", "signature", "wrapped",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.scanner = ObjectScanner()
        self.custom = False  # its arguments are free text
        self.wrapped = False  # it was sent as a function; the free text stands in `input`
        self.signature = ""
        self.opened = False
        self.closed = False

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def complete(self) -> bool:
        return self.custom or self.scanner.complete


class ToolCallAssembler:
    """The slots of one stream."""

    __slots__ = (
        "_by_index", "_conversion", "_ids", "_open_calls", "_wrapped", "busy", "called",
        "truncated",
    )  # fmt: skip

    def __init__(self, conversion: Conversion) -> None:
        self.busy = False  # a slot is not closed yet
        self.called = False  # a call was opened
        self.truncated = False  # the answer ends here, and maybe inside a call
        self._conversion = conversion
        self._wrapped = wrapped_tool_names(conversion)
        # those not closed, oldest first: the first is live
        self._open_calls: list[_PartialCall] = []
        self._by_index: dict[int | str, _PartialCall] = {}
        self._ids: set[str] = set()

    def add_fragment(self, fragment: ToolFragment) -> list[Event]:
        """What the client may see after one more fragment."""
        slot = self._call_for_fragment(fragment)
        name, piece = read_name_and_arguments(fragment)
        if fragment.id and not slot.id:
            slot.id = str(fragment.id)
        if fragment.custom is not None:
            slot.custom = True
        if signature := read_signature(fragment.extra_content):
            self._set_signature(slot, signature)
        if name and not slot.opened and name != slot.name:
            slot.name += name
        out: list[Event] = []
        if piece:
            self._append_arguments(slot, piece, out)
        self._open_ready_calls(out)
        return out

    def end_if_complete(self) -> list[Event] | None:
        """The endings of all open calls if each is whole, or None."""
        if not all(slot.complete and slot.name for slot in self._open_calls):
            return None
        return self.end_all()

    def end_all(self) -> list[Event]:
        """The endings of all open calls. BadAnswer for one that is broken but not truncated."""
        out: list[Event] = []
        for slot in self._open_calls[:]:
            if self.truncated and not self._is_whole(slot):
                self._cut_call(slot, out)
            elif slot.name:
                self._open_call(slot, out)
                self._close_call(slot, out)
            elif slot.arguments.strip():
                raise BadAnswer("upstream sent a tool call without a name")
            else:
                self._conversion.notes.note("tool_calls", "without_name_dropped")
        self._open_calls.clear()
        self.busy = False
        return out

    def _call_for_fragment(self, fragment: ToolFragment) -> _PartialCall:
        """The slot a fragment belongs to, or a new one."""
        given, (name, _) = str(fragment.id or ""), read_name_and_arguments(fragment)
        if fragment.index is None:
            known = next((slot for slot in self._open_calls if given and slot.id == given), None)
            if known is None and not name and self._open_calls:
                known = self._open_calls[-1]
            return known or self._new_call()
        slot = self._by_index.get(fragment.index)
        another = slot is not None and given and name and slot.id not in ("", given)
        if slot is None or another:
            slot = self._by_index[fragment.index] = self._new_call()
        return slot

    def _new_call(self) -> _PartialCall:
        slot = _PartialCall()
        self._open_calls.append(slot)
        self.busy = True
        return slot

    def _set_signature(self, slot: _PartialCall, signature: str) -> None:
        if slot.opened and signature != slot.signature:
            self._conversion.notes.note("tool_calls.extra_content", "after_the_call_dropped")
        else:
            slot.signature = signature

    def _append_arguments(self, slot: _PartialCall, piece: str, out: list[Event]) -> None:
        if slot.closed or (slot.scanner.complete and not slot.custom):
            if piece.strip() and piece != slot.arguments:
                self._conversion.notes.note("tool_calls.arguments", "after_the_end_dropped")
            return
        if not slot.pieces and not slot.custom and piece.strip() in ("", "null"):
            return  # how some servers spell no arguments
        slot.pieces.append(piece)
        if not slot.custom:
            slot.scanner.feed(piece)
        if slot.opened and not slot.wrapped:
            out.append(ArgumentsDelta(piece))

    def _open_ready_calls(self, out: list[Event]) -> None:
        """Open the live slot as soon as its name is sure; go on to the next when it is whole."""
        while self._open_calls:
            live = self._open_calls[0]
            another = len(self._open_calls) > 1
            if self.truncated and not live.opened and not self._is_whole(live):
                return  # the client has seen nothing of it and never will
            if not live.opened and live.name and (live.pieces or another):
                self._open_call(live, out)
            if not (live.opened and live.complete and another):
                return
            self._close_call(live, out)
            self._open_calls.pop(0)

    def _open_call(self, slot: _PartialCall, out: list[Event]) -> None:
        if slot.opened:
            return
        slot.opened = self.called = True
        if not slot.id or slot.id in self._ids:
            slot.id = make_call_id()
        self._ids.add(slot.id)
        name = self._conversion.names.to_client(slot.name)
        slot.wrapped = not slot.custom and name in self._wrapped
        if slot.signature:
            out.append(RedactedThinking(slot.signature, CALL_SIGNATURE))
        out.append(ToolStart(slot.id, name, slot.custom or slot.wrapped))
        if slot.pieces and not slot.wrapped:
            out.append(ArgumentsDelta(slot.arguments))

    def _close_call(self, slot: _PartialCall, out: list[Event]) -> None:
        if not self._is_whole(slot):
            raise BadAnswer(INVALID_ARGUMENTS)
        if slot.wrapped and (text := read_custom_input(slot.arguments)):
            out.append(ArgumentsDelta(text))
        out.append(PartEnd())
        slot.closed = True

    def _cut_call(self, slot: _PartialCall, out: list[Event]) -> None:
        """End a call that the token limit cut; one that was not opened yet is dropped."""
        if slot.opened:
            out.append(PartEnd())
        else:
            self._conversion.notes.note("tool_calls", "cut_short_dropped")

    @staticmethod
    def _is_whole(slot: _PartialCall) -> bool:
        text = slot.arguments
        if slot.custom or not text.strip():
            return True
        if slot.wrapped and not text.lstrip().startswith("{"):
            return True  # the free text itself, where its object was asked for
        return is_json_object(text)


def read_name_and_arguments(fragment: ToolFragment) -> tuple[str, str]:
    """The name and the arguments in a fragment."""
    if fragment.custom is not None:
        return fragment.custom.name or "", fragment.custom.input or ""
    if fragment.function is None:
        return "", ""
    arguments = fragment.function.arguments
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    return fragment.function.name or "", arguments or ""
