"""Tool calls of a Chat stream, put in order: at most one is open, and each gets all its arguments.

A server may interleave the fragments of parallel calls, repeat a call's id, name or whole
arguments in every fragment, cut a name in pieces, or give every call the index 0.
"""

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import ToolFragment
from gateway.dialects.chat.scan import ObjectScanner
from gateway.dialects.common.arguments import INVALID_ARGUMENTS, made_id, unwrapped, wrapped_names
from gateway.dialects.common.extra_content import signature_in
from gateway.dialects.common.shapes import is_object
from gateway.dialects.common.signatures import CALL
from gateway.errors import BadAnswer
from gateway.neutral.events import ArgumentsDelta, Event, PartEnded, RedactedCame, ToolBegan


class _Slot:
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


class Calls:
    """The slots of one stream."""

    __slots__ = ("_at_index", "_crossing", "_ids", "_slots", "_wrapped", "busy", "called")

    def __init__(self, crossing: Crossing) -> None:
        self.busy = False  # a slot is not closed yet
        self.called = False  # a call was opened
        self._crossing = crossing
        self._wrapped = wrapped_names(crossing)
        self._slots: list[_Slot] = []  # those not closed, oldest first: the first is live
        self._at_index: dict[int | str, _Slot] = {}
        self._ids: set[str] = set()

    def add(self, fragment: ToolFragment) -> list[Event]:
        """What the client may see after one more fragment."""
        slot = self._slot(fragment)
        name, piece = said(fragment)
        if fragment.id and not slot.id:
            slot.id = str(fragment.id)
        if fragment.custom is not None:
            slot.custom = True
        if signature := signature_in(fragment.extra_content):
            self._sign(slot, signature)
        if name and not slot.opened and name != slot.name:
            slot.name += name
        out: list[Event] = []
        if piece:
            self._append(slot, piece, out)
        self._advance(out)
        return out

    def settle(self) -> list[Event] | None:
        """The endings of all open calls if each is whole, or None."""
        if not all(slot.complete and slot.name for slot in self._slots):
            return None
        return self.end(cut_short=False)

    def end(self, *, cut_short: bool) -> list[Event]:
        """The endings of all open calls. BadAnswer for one that is broken but not cut."""
        out: list[Event] = []
        for slot in self._slots[:]:
            if cut_short and not self._whole(slot):
                self._cut(slot, out)
            elif slot.name:
                self._open(slot, out)
                self._close(slot, out)
            elif slot.arguments.strip():
                raise BadAnswer("upstream sent a tool call without a name")
        self._slots.clear()
        self.busy = False
        return out

    def _slot(self, fragment: ToolFragment) -> _Slot:
        """The slot a fragment belongs to, or a new one."""
        given, (name, _) = str(fragment.id or ""), said(fragment)
        if fragment.index is None:
            known = next((slot for slot in self._slots if given and slot.id == given), None)
            if known is None and not name and self._slots:
                known = self._slots[-1]
            return known or self._new()
        slot = self._at_index.get(fragment.index)
        another = slot is not None and given and name and slot.id not in ("", given)
        if slot is None or another:
            slot = self._at_index[fragment.index] = self._new()
        return slot

    def _new(self) -> _Slot:
        slot = _Slot()
        self._slots.append(slot)
        self.busy = True
        return slot

    def _sign(self, slot: _Slot, signature: str) -> None:
        if slot.opened and signature != slot.signature:
            self._crossing.notes.note("tool_calls.extra_content", "after_the_call_dropped")
        else:
            slot.signature = signature

    def _append(self, slot: _Slot, piece: str, out: list[Event]) -> None:
        if slot.closed or (slot.scanner.complete and not slot.custom):
            if piece.strip() and piece != slot.arguments:
                self._crossing.notes.note("tool_calls.arguments", "after_the_end_dropped")
            return
        if not slot.pieces and piece == "null":
            return  # how some servers spell no arguments
        slot.pieces.append(piece)
        if not slot.custom:
            slot.scanner.feed(piece)
        if slot.opened and not slot.wrapped:
            out.append(ArgumentsDelta(piece))

    def _advance(self, out: list[Event]) -> None:
        """Open the live slot as soon as its name is sure; go on to the next when it is whole."""
        while self._slots:
            live = self._slots[0]
            another = len(self._slots) > 1
            if not live.opened and live.name and (live.pieces or another):
                self._open(live, out)
            if not (live.opened and live.complete and another):
                return
            self._close(live, out)
            self._slots.pop(0)

    def _open(self, slot: _Slot, out: list[Event]) -> None:
        if slot.opened:
            return
        slot.opened = self.called = True
        if not slot.id or slot.id in self._ids:
            slot.id = made_id()
        self._ids.add(slot.id)
        name = self._crossing.names.known(slot.name)
        slot.wrapped = not slot.custom and name in self._wrapped
        if slot.signature:
            out.append(RedactedCame(slot.signature, CALL))
        out.append(ToolBegan(slot.id, name, slot.custom or slot.wrapped))
        if slot.pieces and not slot.wrapped:
            out.append(ArgumentsDelta(slot.arguments))

    def _close(self, slot: _Slot, out: list[Event]) -> None:
        if not self._whole(slot):
            raise BadAnswer(INVALID_ARGUMENTS)
        if slot.wrapped and (text := unwrapped(slot.arguments)):
            out.append(ArgumentsDelta(text))
        out.append(PartEnded())
        slot.closed = True

    def _cut(self, slot: _Slot, out: list[Event]) -> None:
        """A call that the token limit cut: what a client saw of it ends, the rest is not told."""
        if slot.opened:
            out.append(PartEnded())
        else:
            self._crossing.notes.note("tool_calls", "cut_short_dropped")

    @staticmethod
    def _whole(slot: _Slot) -> bool:
        text = slot.arguments
        return slot.custom or not text.strip() or is_object(text)


def said(fragment: ToolFragment) -> tuple[str, str]:
    """The name and the arguments in a fragment."""
    if fragment.custom is not None:
        return fragment.custom.name or "", fragment.custom.input or ""
    if fragment.function is None:
        return "", ""
    arguments = fragment.function.arguments
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    return fragment.function.name or "", arguments or ""
