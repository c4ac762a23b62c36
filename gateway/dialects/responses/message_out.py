"""A whole answer for a Responses client (`Response`)."""

from gateway.dialect import Crossing
from gateway.dialects.common.signatures import ALONE, SAID
from gateway.dialects.responses.answer import (
    DECLINED,
    Frame,
    Item,
    action_item,
    annotation,
    call_item,
    call_type,
    counted,
    encrypted,
    hidden,
    message_item,
    output_text,
    reason_of,
    reasoning_item,
    refusal,
)
from gateway.dialects.responses.forms import forms_of
from gateway.neutral.events import Message, Part, Redacted, Refusal, Text, Thinking, ToolCall


def write_message(message: Message, crossing: Crossing) -> bytes:
    """`Response` with its items in the order in which the model made them."""
    output = _Output(crossing)
    for part in message.parts:
        output.add(part)
    ending = message.ending
    reason = reason_of(ending)
    if ending.stop == "refusal" and not output.refused:
        output.add(Refusal(ending.explanation or DECLINED))
    if reason is not None and output.items and output.items[-1]["type"] == "message":
        output.items[-1]["status"] = "incomplete"
    return output.frame.written(
        "completed" if reason is None else "incomplete",
        output.items,
        usage=counted(ending.usage, output.written, crossing),
        reason=reason,
    )


class _Output:
    """The items so far."""

    def __init__(self, crossing: Crossing) -> None:
        self.frame = Frame(crossing)
        self.items: list[Item] = []
        self.refused = False
        self.written = 0  # characters
        self._crossing = crossing
        self._forms = forms_of(crossing.prompt)
        self._content: list[Item] = []  # of the message that is the last item
        self._call_ids: set[str] = set()

    def add(self, part: Part) -> None:
        """One more part of the answer."""
        match part:
            case Text():
                self._say(part)
            case Refusal():
                self._refuse(part.text)
            case Thinking() if part.text or part.signature is not None:
                self.written += len(part.text)
                blob = encrypted(part.signature, part.origin, part.text, self._crossing)
                self._item(reasoning_item(self._id("reasoning"), "completed", part.text, blob))
            case Redacted() if part.origin in (SAID, ALONE):
                pass  # a reasoning item after what it signs would have nothing to lead to
            case Redacted():
                blob = hidden(part.data, part.origin, self._crossing)
                self._item(reasoning_item(self._id("reasoning"), "completed", "", blob))
            case ToolCall():
                self._called(part)
            case _:
                pass  # server tools and prompt-only parts are left out, as in a stream

    def _refuse(self, text: str) -> None:
        if not text:
            return
        self.refused = True
        self.written += len(text)
        last = self._content[-1] if self.items and self.items[-1]["type"] == "message" else None
        if last is not None and last["type"] == "refusal":
            last["refusal"] = f"{last['refusal']}{text}"
        else:
            self._tell(refusal(text))

    def _say(self, part: Text) -> None:
        if not part.text:
            return
        self.written += len(part.text)
        cited = [note for note in part.citations if note.url is not None]
        if len(cited) < len(part.citations):
            self._crossing.notes.note("citations", "without_url_dropped")
        notes = [annotation(citation, len(part.text)) for citation in cited]
        self._tell(output_text(part.text, notes))

    def _tell(self, content: Item) -> None:
        """Texts that follow one another are parts of one message."""
        if not self.items or self.items[-1]["type"] != "message":
            self._content = []
            self._item(message_item(self._id("message"), "completed", self._content))
        self._content.append(content)

    def _called(self, call: ToolCall) -> None:
        if call.name == self._crossing.answer_tool:
            self._say(Text(call.arguments))
            return
        self.written += len(call.arguments)
        form = self._forms.get(call.name)
        custom = call.custom or (form is not None and form.kind == "custom")
        type = call_type(form, custom=custom)
        id = self._call_id(call.id)
        item: Item | None = None
        if type not in ("function_call", "custom_tool_call"):
            item = action_item(type, self._id(type), id, call.arguments)
            if item is None:
                self._crossing.notes.note("output", f"{type}_as_function_call")
                type, form = "function_call", None
        if item is None:
            arguments = call.arguments or ("" if type == "custom_tool_call" else "{}")
            item = call_item(type, self._id(type), id, call.name, form, arguments, "completed")
        self._item(item)

    def _call_id(self, id: str) -> str:
        if not id or id in self._call_ids:
            id = "call_" + self._id("function_call")[3:27]
        self._call_ids.add(id)
        return id

    def _id(self, type: str) -> str:
        return self.frame.item_id(type, len(self.items))

    def _item(self, item: Item) -> None:
        self.items.append(item)
