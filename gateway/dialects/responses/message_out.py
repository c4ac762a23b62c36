"""A whole answer for a Responses client (`Response`)."""

from gateway.dialect import Conversion
from gateway.dialects.common.signatures import LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.responses.answer import (
    DECLINED_TEXT,
    JsonItem,
    ResponseEnvelope,
    choose_call_type,
    seal_reasoning,
    seal_redacted,
    write_action_item,
    write_annotation,
    write_call_item,
    write_message_item,
    write_output_text,
    write_reasoning_item,
    write_refusal,
    write_stop,
    write_usage_or_estimate,
)
from gateway.dialects.responses.client_tools import index_client_tools
from gateway.neutral.events import Message, Part, Redacted, Refusal, Text, Thinking, ToolCall


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`Response` with its items in the order in which the model made them."""
    output = _OutputWriter(conversion)
    for part in message.parts:
        output.add_part(part)
    ending = message.ending
    reason = write_stop(ending)
    if ending.stop == "refusal" and not output.has_refusal:
        output.add_part(Refusal(ending.explanation or DECLINED_TEXT))
    if reason is not None and output.items and output.items[-1]["type"] == "message":
        output.items[-1]["status"] = "incomplete"
    return output.envelope.render(
        "completed" if reason is None else "incomplete",
        output.items,
        usage=write_usage_or_estimate(ending.usage, output.written_chars, conversion),
        reason=reason,
    )


class _OutputWriter:
    """The items so far."""

    def __init__(self, conversion: Conversion) -> None:
        self.envelope = ResponseEnvelope(conversion)
        self.items: list[JsonItem] = []
        self.has_refusal = False
        self.written_chars = 0  # characters
        self._conversion = conversion
        self._client_tools = index_client_tools(conversion.prompt)
        self._content: list[JsonItem] = []  # of the message that is the last item
        self._call_ids: set[str] = set()

    def add_part(self, part: Part) -> None:
        """One more part of the answer."""
        match part:
            case Text():
                self._add_text(part)
            case Refusal():
                self._add_refusal(part.text)
            case Thinking() if part.text or part.signature is not None:
                self.written_chars += len(part.text)
                blob = seal_reasoning(part.signature, part.origin, part.text, self._conversion)
                self._append_item(
                    write_reasoning_item(
                        self._make_item_id("reasoning"), "completed", part.text, blob
                    )
                )
            case Redacted() if part.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
                pass  # a reasoning item after what it signs would have nothing to lead to
            case Redacted():
                blob = seal_redacted(part.data, part.origin, self._conversion)
                self._append_item(
                    write_reasoning_item(self._make_item_id("reasoning"), "completed", "", blob)
                )
            case ToolCall():
                self._add_call(part)
            case _:
                pass  # server tools and prompt-only parts are left out, as in a stream

    def _add_refusal(self, text: str) -> None:
        if not text:
            return
        self.has_refusal = True
        self.written_chars += len(text)
        last = self._content[-1] if self.items and self.items[-1]["type"] == "message" else None
        if last is not None and last["type"] == "refusal":
            last["refusal"] = f"{last['refusal']}{text}"
        else:
            self._append_content(write_refusal(text))

    def _add_text(self, part: Text) -> None:
        if not part.text:
            return
        self.written_chars += len(part.text)
        cited = [note for note in part.citations if note.url is not None]
        if len(cited) < len(part.citations):
            self._conversion.notes.note("citations", "without_url_dropped")
        notes = [write_annotation(citation, len(part.text)) for citation in cited]
        self._append_content(write_output_text(part.text, notes))

    def _append_content(self, content: JsonItem) -> None:
        """Texts that follow one another are parts of one message."""
        if not self.items or self.items[-1]["type"] != "message":
            self._content = []
            self._append_item(
                write_message_item(self._make_item_id("message"), "completed", self._content)
            )
        self._content.append(content)

    def _add_call(self, call: ToolCall) -> None:
        if call.name == self._conversion.answer_tool:
            self._add_text(Text(call.arguments))
            return
        self.written_chars += len(call.arguments)
        form = self._client_tools.get(call.name)
        custom = call.custom or (form is not None and form.kind == "custom")
        type = choose_call_type(form, custom=custom)
        id = self._make_call_id(call.id)
        item: JsonItem | None = None
        if type not in ("function_call", "custom_tool_call"):
            item = write_action_item(type, self._make_item_id(type), id, call.arguments)
            if item is None:
                self._conversion.notes.note("output", f"{type}_as_function_call")
                type, form = "function_call", None
        if item is None:
            arguments = call.arguments or ("" if type == "custom_tool_call" else "{}")
            item = write_call_item(
                type, self._make_item_id(type), id, call.name, form, arguments, "completed"
            )
        self._append_item(item)

    def _make_call_id(self, id: str) -> str:
        if not id or id in self._call_ids:
            id = "call_" + self._make_item_id("function_call")[3:27]
        self._call_ids.add(id)
        return id

    def _make_item_id(self, type: str) -> str:
        return self.envelope.make_item_id(type, len(self.items))

    def _append_item(self, item: JsonItem) -> None:
        self.items.append(item)
