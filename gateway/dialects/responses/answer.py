"""The parts of a Responses answer: its items, and the response around them (`Response`)."""

import hashlib
import secrets
import time

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.signatures import sealed_kind
from gateway.dialects.common.token_estimate import usage_or_estimate
from gateway.dialects.responses.client_tools import ACTION_KINDS
from gateway.dialects.responses.reasoning import unpack_reasoning
from gateway.dialects.responses.usage import write_usage
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.neutral.events import Citation, ClientToolKind, ToolStart, Usage
from gateway.wire.raw_json import decode, present

JsonItem = dict[str, object]
DECLINED_TEXT = "The model declined to answer."
INCOMPLETE_REASON_OF_STOP = {
    "max_tokens": "max_output_tokens",
    "pause_turn": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
"""The stops that leave an answer incomplete."""
_RESPONSE_DEFAULTS: dict[str, object] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
_ID_PREFIXES = {
    "message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc",
    "local_shell_call": "lsh", "shell_call": "sh", "apply_patch_call": "apc",
    "tool_search_call": "tsc",
}  # fmt: skip


class ResponseEnvelope:
    """The response around the output: its id, and the members that the request had."""

    def __init__(self, conversion: Conversion) -> None:
        # never the upstream's id: some servers give the same one to every answer
        self.id = f"resp_{secrets.token_hex(24)}"
        self._model = conversion.alias
        self._created_at = int(time.time())
        echo = {name: raw for name, raw in conversion.prompt.echo.items() if present(raw)}
        members = _RESPONSE_DEFAULTS | echo
        text = members["text"]
        if isinstance(text, Raw):
            # the SDK's types want a format
            members["text"] = {"format": {"type": "text"}} | decode(text, dict[str, Raw])
        members["previous_response_id"] = conversion.previous
        members["store"] = conversion.stored
        self._encoded_members = msgspec.json.encode(members)[1:]

    def render(  # the members that change while an answer comes
        self,
        status: str,
        output: list[JsonItem],
        *,
        usage: dict[str, object] | None = None,
        reason: str | None = None,
        error: object = None,
        tier: str | None = None,
    ) -> bytes:
        """`Response` as JSON, in that state."""
        head = {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model,
            "output": output,
            "usage": usage,
        }
        if status == "completed":
            head["completed_at"] = int(time.time())
        return msgspec.json.encode(head)[:-1] + b"," + self._encoded_members

    def make_item_id(self, type: str, index: int) -> str:
        """The id of the item at that place of the output."""
        digest = hashlib.sha256(f"{self.id}/{index}".encode()).hexdigest()
        return f"{_ID_PREFIXES[type]}_{digest[:48]}"


def write_usage_or_estimate(
    usage: Usage | None, written: int, conversion: Conversion
) -> dict[str, object]:
    """`ResponseUsage`; estimated at four characters per token where the upstream gave no counts."""
    return write_usage(usage_or_estimate(usage, written, "usage", conversion))


def write_output_text(text: str, annotations: list[JsonItem]) -> JsonItem:
    """`ResponseOutputText`."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def write_refusal(text: str) -> JsonItem:
    """`ResponseOutputRefusal`."""
    return {"type": "refusal", "refusal": text}


def write_message_item(id: str, status: str, content: list[JsonItem]) -> JsonItem:
    """`ResponseOutputMessage`."""
    return {
        "id": id, "type": "message", "status": status, "role": "assistant", "content": content,
    }  # fmt: skip


def write_reasoning_item(id: str, status: str, text: str, blob: str | None) -> JsonItem:
    """`ResponseReasoningItem`; the readable text is its summary."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {
        "id": id, "type": "reasoning", "status": status, "summary": summary,
        "encrypted_content": blob,
    }  # fmt: skip


def seal_reasoning(own: str | None, origin: str, text: str, conversion: Conversion) -> str:
    """What a client carries of readable reasoning: its signature, or a seal over the text."""
    if own is None:
        return conversion.sealed(
            "text", hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        )
    return own if _is_replayable(own, origin) else conversion.sealed("signature", own)


def seal_redacted(data: str, origin: str, conversion: Conversion) -> str:
    """What a client carries of hidden reasoning."""
    if _is_replayable(data, origin):
        return data
    return conversion.sealed(sealed_kind(origin), data)


def _is_replayable(blob: str, origin: str) -> bool:
    """Whether a client may bring the blob straight back: it is not bound to another item's id."""
    return origin == DIALECT_NAME and not unpack_reasoning(blob)[0]


def write_annotation(citation: Citation, length: int) -> JsonItem:
    """`AnnotationURLCitation`: its span of a text of that length, in code points."""
    start, end = citation.span or (0, length)
    return {
        "type": "url_citation", "url": citation.url, "title": citation.title or "",
        "start_index": start, "end_index": end,
    }  # fmt: skip


def choose_call_type(form: ClientToolKind | None, *, custom: bool) -> str:
    """The type of the item that a call becomes."""
    kind = form.kind if form is not None else ""
    if kind in ACTION_KINDS:
        return f"{kind}_call"
    return "custom_tool_call" if custom or kind == "custom" else "function_call"


def write_call_item(
    type: str, id: str, call: ToolStart, form: ClientToolKind | None, arguments: str, status: str
) -> JsonItem:
    """A function's or a custom tool's call, its name and namespace as the client has them."""
    item: JsonItem = {"id": id, "type": type, "call_id": call.id}
    item["name"] = form.name if form is not None else call.name
    if form is not None and form.namespace:
        item["namespace"] = form.namespace
    if type == "custom_tool_call":
        item["input"] = arguments
    else:
        item["arguments"] = arguments
    item["status"] = status
    return item


def write_action_item(type: str, id: str, call_id: str, arguments: str) -> JsonItem | None:
    """The call of a tool whose arguments are members of the item; None where they are no object."""
    try:
        members = decode((arguments.strip() or "{}").encode("utf-8", "replace"), dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    item: JsonItem = {"id": id, "type": type, "call_id": call_id, "status": "completed"}
    if type == "tool_search_call":
        return item | {"arguments": members, "execution": "client"}
    if type == "apply_patch_call":
        return item | {"operation": members} if "type" in members else None
    if type == "shell_call":
        limits = {"timeout_ms": None, "max_output_length": None}
        return item | {"action": limits | members} if "commands" in members else None
    if "command" not in members:
        return None
    return item | {"action": {"type": "exec", "env": {}} | members}
