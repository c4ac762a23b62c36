"""What a Responses upstream says, whole or in events, as the official types have it."""

from typing import Any

import msgspec

USAGE: dict[str, Any] = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 17,
}
Value = dict[str, Any]


def response(*output: Value, **more: Any) -> Value:
    """A `Response` with those items, completed unless `more` says otherwise."""
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "model": "m", "output": list(output), "parallel_tool_calls": True, "temperature": None,
        "tool_choice": "auto", "tools": [], "top_p": None, "usage": USAGE,
    } | more  # fmt: skip


def text_part(text: str, *annotations: Value) -> Value:
    """A `ResponseOutputText`."""
    return {
        "type": "output_text", "text": text, "annotations": list(annotations), "logprobs": [],
    }  # fmt: skip


def message(*parts: str | Value, id: str = "msg_1", **more: Any) -> Value:
    """A `ResponseOutputMessage`."""
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    return {
        "id": id, "type": "message", "role": "assistant", "status": "completed",
        "content": content,
    } | more  # fmt: skip


def refusal(text: str) -> Value:
    """A `ResponseOutputRefusal`."""
    return {"type": "refusal", "refusal": text}


def citation(url: str, title: str, start: int, end: int) -> Value:
    """An `AnnotationURLCitation`."""
    return {
        "type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end,
    }  # fmt: skip


def reasoning(
    *summary: str, id: str = "rs_1", encrypted: str | None = None, words: tuple[str, ...] = ()
) -> Value:
    """A `ResponseReasoningItem`."""
    item: Value = {
        "id": id, "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in summary],
    }  # fmt: skip
    if words:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in words]
    return item | ({"encrypted_content": encrypted} if encrypted else {})


def call(call_id: str, name: str, arguments: str, **more: Any) -> Value:
    """A `ResponseFunctionToolCall`."""
    return {
        "id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name,
        "arguments": arguments, "status": "completed",
    } | more  # fmt: skip


def free_call(call_id: str, name: str, input: str) -> Value:
    """A `ResponseCustomToolCall`."""
    return {
        "id": f"ctc_{call_id}", "type": "custom_tool_call", "call_id": call_id, "name": name,
        "input": input,
    }  # fmt: skip


def search() -> Value:
    """A `ResponseFunctionWebSearch`."""
    return {
        "id": "ws_1", "type": "web_search_call", "status": "completed",
        "action": {"type": "search", "query": "q"},
    }  # fmt: skip


class Script:
    """The events of one stream; those of an item are told apart by its place in the output."""

    def __init__(self) -> None:
        self.events: list[Value] = []
        self.output: list[Value] = []

    def say(self, type: str, **members: Any) -> "Script":
        """One event."""
        self.events.append({"type": type, "sequence_number": len(self.events)} | members)
        return self

    def begin(self) -> "Script":
        """The two events before any item."""
        started = response(status="in_progress", usage=None)
        self.say("response.created", response=started)
        return self.say("response.in_progress", response=started)

    def added(self, item: Value, at: int | None = None) -> int:
        """The event that opens an item, emptied of what deltas will bring; the item's place."""
        at = len(self.output) if at is None else at
        self.output.append(item)
        bare = {"content": [], "summary": [], "arguments": "", "input": "", "encrypted_content": ""}
        begun = {name: bare.get(name, value) for name, value in item.items()}
        if "status" in begun:
            begun["status"] = "in_progress"
        self.say("response.output_item.added", output_index=at, item=begun)
        return at

    def done(self, at: int, item: Value | None = None) -> "Script":
        """The event that ends an item."""
        return self.say("response.output_item.done", output_index=at, item=item or self.output[at])

    def item(self, item: Value, size: int = 3) -> "Script":
        """A whole item, its texts in pieces of that size."""
        at = self.added(item)
        told = {"item_id": item["id"], "output_index": at}
        match item["type"]:
            case "message":
                for place, part in enumerate(item["content"]):
                    self._part(part, told | {"content_index": place}, size)
            case "reasoning":
                self._reasoning(item, told, size)
            case "function_call":
                self._deltas("response.function_call_arguments", "arguments", item, told, size)
            case "custom_tool_call":
                self._deltas("response.custom_tool_call_input", "input", item, told, size)
        return self.done(at)

    def _part(self, part: Value, told: Value, size: int) -> None:
        if part["type"] == "refusal":
            self.say("response.content_part.added", part=refusal(""), **told)
            self._deltas("response.refusal", "refusal", part, told, size)
        else:
            self.say("response.content_part.added", part=text_part(""), **told)
            for piece in _pieces(part["text"], size):
                self.say("response.output_text.delta", delta=piece, logprobs=[], **told)
            for place, found in enumerate(part["annotations"]):
                self.say(
                    "response.output_text.annotation.added", annotation=found,
                    annotation_index=place, **told,
                )  # fmt: skip
            self.say("response.output_text.done", text=part["text"], logprobs=[], **told)
        self.say("response.content_part.done", part=part, **told)

    def _reasoning(self, item: Value, told: Value, size: int) -> None:
        for place, part in enumerate(item["summary"]):
            at = told | {"summary_index": place}
            empty = {"type": "summary_text", "text": ""}
            self.say("response.reasoning_summary_part.added", part=empty, **at)
            self._deltas("response.reasoning_summary_text", "text", part, at, size)
            self.say("response.reasoning_summary_part.done", part=part, **at)
        for place, part in enumerate(item.get("content", ())):
            at = told | {"content_index": place}
            self.say("response.content_part.added", part=part | {"text": ""}, **at)
            self._deltas("response.reasoning_text", "text", part, at, size)
            self.say("response.content_part.done", part=part, **at)

    def _deltas(self, name: str, member: str, whole: Value, told: Value, size: int) -> None:
        for piece in _pieces(whole[member], size):
            self.say(f"{name}.delta", delta=piece, **told)
        self.say(f"{name}.done", **{member: whole[member]}, **told)

    def end(self, status: str = "completed", **more: Any) -> "Script":
        """The last event, with the whole response."""
        whole = response(*self.output, status=status, **more)
        return self.say(f"response.{status}", response=whole)

    @property
    def frames(self) -> list[bytes]:
        """Each event as it goes over the wire."""
        return [event_bytes(event) for event in self.events]

    @property
    def wire(self) -> bytes:
        """All of them."""
        return b"".join(self.frames)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def event_bytes(event: Value) -> bytes:
    """One event."""
    return f"event: {event['type']}\ndata: {msgspec.json.encode(event).decode()}\n\n".encode()


def script(*items: Value, status: str = "completed", **more: Any) -> Script:
    """A whole stream of those items."""
    made = Script().begin()
    for item in items:
        made.item(item)
    return made.end(status, **more)
