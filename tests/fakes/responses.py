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


def make_response(*output: Value, **more: Any) -> Value:
    """A `Response` with those items, completed unless `more` says otherwise."""
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "model": "m", "output": list(output), "parallel_tool_calls": True, "temperature": None,
        "tool_choice": "auto", "tools": [], "top_p": None, "usage": USAGE,
    } | more  # fmt: skip


def make_text_part(text: str, *annotations: Value) -> Value:
    """A `ResponseOutputText`."""
    return {
        "type": "output_text", "text": text, "annotations": list(annotations), "logprobs": [],
    }  # fmt: skip


def make_message(*parts: str | Value, id: str = "msg_1", **more: Any) -> Value:
    """A `ResponseOutputMessage`."""
    content = [make_text_part(part) if isinstance(part, str) else part for part in parts]
    return {
        "id": id, "type": "message", "role": "assistant", "status": "completed",
        "content": content,
    } | more  # fmt: skip


def make_refusal(text: str) -> Value:
    """A `ResponseOutputRefusal`."""
    return {"type": "refusal", "refusal": text}


def make_citation(url: str, title: str, start: int, end: int) -> Value:
    """An `AnnotationURLCitation`."""
    return {
        "type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end,
    }  # fmt: skip


def make_reasoning(
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


def make_function_call(call_id: str, name: str, arguments: str, **more: Any) -> Value:
    """A `ResponseFunctionToolCall`."""
    return {
        "id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name,
        "arguments": arguments, "status": "completed",
    } | more  # fmt: skip


def make_custom_call(call_id: str, name: str, input: str) -> Value:
    """A `ResponseCustomToolCall`."""
    return {
        "id": f"ctc_{call_id}", "type": "custom_tool_call", "call_id": call_id, "name": name,
        "input": input,
    }  # fmt: skip


def make_web_search() -> Value:
    """A `ResponseFunctionWebSearch`."""
    return {
        "id": "ws_1", "type": "web_search_call", "status": "completed",
        "action": {"type": "search", "query": "q"},
    }  # fmt: skip


class ResponsesScript:
    """The events of one stream; those of an item are told apart by its place in the output."""

    def __init__(self) -> None:
        self.events: list[Value] = []
        self.output: list[Value] = []

    def add_event(self, type: str, **members: Any) -> "ResponsesScript":
        """One event."""
        self.events.append({"type": type, "sequence_number": len(self.events)} | members)
        return self

    def add_start(self) -> "ResponsesScript":
        """The two events before any item."""
        started = make_response(status="in_progress", usage=None)
        self.add_event("response.created", response=started)
        return self.add_event("response.in_progress", response=started)

    def open_item(self, item: Value, at: int | None = None) -> int:
        """The event that opens an item, emptied of what deltas will bring; the item's place."""
        at = len(self.output) if at is None else at
        self.output.append(item)
        bare = {"content": [], "summary": [], "arguments": "", "input": "", "encrypted_content": ""}
        begun = {name: bare.get(name, value) for name, value in item.items()}
        if "status" in begun:
            begun["status"] = "in_progress"
        self.add_event("response.output_item.added", output_index=at, item=begun)
        return at

    def close_item(self, at: int, item: Value | None = None) -> "ResponsesScript":
        """The event that ends an item."""
        return self.add_event(
            "response.output_item.done", output_index=at, item=item or self.output[at]
        )

    def add_item(self, item: Value, size: int = 3) -> "ResponsesScript":
        """A whole item, its texts in pieces of that size."""
        at = self.open_item(item)
        told = {"item_id": item["id"], "output_index": at}
        match item["type"]:
            case "message":
                for place, part in enumerate(item["content"]):
                    self._add_part(part, told | {"content_index": place}, size)
            case "reasoning":
                self._add_reasoning(item, told, size)
            case "function_call":
                self._add_deltas("response.function_call_arguments", "arguments", item, told, size)
            case "custom_tool_call":
                self._add_deltas("response.custom_tool_call_input", "input", item, told, size)
        return self.close_item(at)

    def _add_part(self, part: Value, told: Value, size: int) -> None:
        if part["type"] == "refusal":
            self.add_event("response.content_part.added", part=make_refusal(""), **told)
            self._add_deltas("response.refusal", "refusal", part, told, size)
        else:
            self.add_event("response.content_part.added", part=make_text_part(""), **told)
            for piece in _split_text(part["text"], size):
                self.add_event("response.output_text.delta", delta=piece, logprobs=[], **told)
            for place, found in enumerate(part["annotations"]):
                self.add_event(
                    "response.output_text.annotation.added", annotation=found,
                    annotation_index=place, **told,
                )  # fmt: skip
            self.add_event("response.output_text.done", text=part["text"], logprobs=[], **told)
        self.add_event("response.content_part.done", part=part, **told)

    def _add_reasoning(self, item: Value, told: Value, size: int) -> None:
        for place, part in enumerate(item["summary"]):
            at = told | {"summary_index": place}
            empty = {"type": "summary_text", "text": ""}
            self.add_event("response.reasoning_summary_part.added", part=empty, **at)
            self._add_deltas("response.reasoning_summary_text", "text", part, at, size)
            self.add_event("response.reasoning_summary_part.done", part=part, **at)
        for place, part in enumerate(item.get("content", ())):
            at = told | {"content_index": place}
            self.add_event("response.content_part.added", part=part | {"text": ""}, **at)
            self._add_deltas("response.reasoning_text", "text", part, at, size)
            self.add_event("response.content_part.done", part=part, **at)

    def _add_deltas(self, name: str, member: str, whole: Value, told: Value, size: int) -> None:
        for piece in _split_text(whole[member], size):
            self.add_event(f"{name}.delta", delta=piece, **told)
        self.add_event(f"{name}.done", **{member: whole[member]}, **told)

    def add_end(self, status: str = "completed", **more: Any) -> "ResponsesScript":
        """The last event, with the whole response."""
        whole = make_response(*self.output, status=status, **more)
        return self.add_event(f"response.{status}", response=whole)

    @property
    def frames(self) -> list[bytes]:
        """Each event as it goes over the wire."""
        return [render_event(event) for event in self.events]

    @property
    def stream_bytes(self) -> bytes:
        """All of them."""
        return b"".join(self.frames)


def _split_text(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def render_event(event: Value) -> bytes:
    """One event."""
    return f"event: {event['type']}\ndata: {msgspec.json.encode(event).decode()}\n\n".encode()


def make_script(*items: Value, status: str = "completed", **more: Any) -> ResponsesScript:
    """A whole stream of those items."""
    made = ResponsesScript().add_start()
    for item in items:
        made.add_item(item)
    return made.add_end(status, **more)
