"""A whole Chat answer for a client (`ChatCompletion`)."""

import secrets
import time

import msgspec

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import (
    DECLINED_TEXT,
    FINISH_REASON_OF_STOP,
    write_reasoning_detail,
)
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.extra_content import write_extra_content
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
)
from gateway.dialects.common.usage import write_usage
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    Usage,
)


def make_chat_id(id: str) -> str:
    """The id of an answer as Chat clients expect it."""
    if id.startswith("chatcmpl-"):
        return id
    _, _, rest = id.partition("_") if id.startswith(("msg_", "resp_")) else ("", "", id)
    return f"chatcmpl-{rest or secrets.token_hex(12)}"


def unix_time() -> int:
    """`created` of an answer: the gateway's clock."""
    return int(time.time())


def write_usage_or_estimate(
    usage: Usage | None, written: int, conversion: Conversion
) -> dict[str, object]:
    """`CompletionUsage`; where the upstream counted nothing, four characters are a token."""
    if usage is None:
        conversion.notes.note("usage", "estimated")
        usage = Usage(conversion.input_estimate, -(-written // 4))
    return write_usage(usage)


def write_message(message: Message, conversion: Conversion) -> bytes:
    """`ChatCompletion` for the client."""
    ending = message.ending
    said, content = _write_answer_message(message.parts, conversion)
    answered = (
        conversion.answer_tool is not None
        and "tool_calls" not in said
        and any(isinstance(part, ToolCall) for part in message.parts)
    )
    finish = write_stop(ending, conversion)
    if answered and ending.stop == "tool_use":
        finish = "stop"
    if ending.stop == "refusal" and said["refusal"] is None:
        said["refusal"] = ending.explanation or DECLINED_TEXT
    choice: dict[str, object] = {
        "index": 0, "message": said, "logprobs": None, "finish_reason": finish,
    }  # fmt: skip
    if ending.stop != "end_turn" or ending.native is not None:
        choice |= write_stop_extras(ending)
    answer: dict[str, object] = {
        "id": make_chat_id(message.id),
        "object": "chat.completion",
        "created": unix_time(),
        "model": conversion.alias or message.model,
        "choices": [choice],
        "usage": write_usage_or_estimate(ending.usage, len(content), conversion),
    }
    if tier := SERVICE_TIERS.get(ending.service_tier or ""):
        answer["service_tier"] = tier
    return msgspec.json.encode(answer)


def write_stop(ending: Ending, conversion: Conversion) -> str:
    """`finish_reason` of an ending."""
    finish = FINISH_REASON_OF_STOP[ending.stop]
    return (
        "function_call" if finish == "tool_calls" and conversion.prompt.legacy_functions else finish
    )


def write_stop_extras(ending: Ending) -> dict[str, object]:
    """Members of a choice that say more than `finish_reason`: vLLM's and OpenRouter's."""
    extras: dict[str, object] = {}
    if ending.stop == "stop_sequence" and ending.stop_sequence is not None:
        extras["stop_reason"] = ending.stop_sequence
    native = ending.native or ("pause_turn" if ending.stop == "pause_turn" else None)
    if native is not None:
        extras["native_finish_reason"] = native
    return extras


def _write_answer_message(
    parts: list[Part], conversion: Conversion
) -> tuple[dict[str, object], str]:
    """The message of the answer, and its content."""
    content, annotations = _write_content(parts, conversion)
    said: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
    if annotations:
        said["annotations"] = annotations
    if [True for part in parts if not isinstance(part, Text)]:
        _write_other_parts(said, parts, conversion)
    return said, content or ""


def _write_other_parts(said: dict[str, object], parts: list[Part], conversion: Conversion) -> None:
    """What the parts say beside the text."""
    said["refusal"] = "".join([part.text for part in parts if isinstance(part, Refusal)]) or None
    thinking = [part.text for part in parts if isinstance(part, Thinking) and part.text]
    if thinking:
        said["reasoning_content"] = "".join(thinking)
    if details := _write_details(parts, conversion):
        said["reasoning_details"] = details
    for part in parts:
        if isinstance(part, Redacted) and part.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            said |= write_extra_content(conversion.sealed(part.origin, part.data))
    calls = [
        call
        for call in _pair_signatures(parts, conversion)
        if call[0].name != conversion.answer_tool
    ]
    if calls and conversion.prompt.legacy_functions:
        first, _ = calls[0]
        said["function_call"] = {"name": first.name, "arguments": first.arguments.strip() or "{}"}
        if len(calls) > 1:
            conversion.notes.note("tool_calls", "only_the_first_told")
    elif calls:
        said["tool_calls"] = [_write_call(*call) for call in calls]


def _write_content(parts: list[Part], conversion: Conversion) -> tuple[str | None, list[object]]:
    """The text of all parts and the annotations on it, spans counted in code points."""
    texts: list[str] = []
    annotations: list[object] = []
    length, apart = 0, False
    for part in parts:
        if isinstance(part, ToolCall) and part.name == conversion.answer_tool:
            texts.append(part.arguments)
        if isinstance(part, Redacted) and part.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            continue  # it stands for no part of its own
        if not isinstance(part, Text):
            apart = True
            _note_lost(part, conversion)
            continue
        if apart and texts and part.text:
            texts.append("\n\n")
            length += 2
        apart = False
        end = length + len(part.text)
        for citation in part.citations:
            if citation.url is None:
                conversion.notes.note("citations", "without_url_dropped")
            else:
                first, last = citation.span or (0, len(part.text))
                span = (length + first, length + last)
                annotations.append(write_annotation(citation.url, citation.title, *span))
        texts.append(part.text)
        length = end
    return "".join(texts) or None, annotations


def write_annotation(url: str, title: str | None, start: int, end: int) -> dict[str, object]:
    """`Annotation` over a span of the content."""
    cited = {"url": url, "title": title or "", "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": cited}


def _note_lost(part: Part, conversion: Conversion) -> None:
    # a server tool's steps are told by the text after them; a client would try to run them
    if not isinstance(part, ToolCall | Thinking | Redacted | Refusal | ServerTool):
        conversion.notes.note(f"content.{type(part).__name__.lower()}", "unsupported_by_target")


def _write_details(parts: list[Part], conversion: Conversion) -> list[object]:
    details: list[object] = []
    for part in parts:
        if isinstance(part, Thinking) and part.signature:
            detail = write_signed_detail(part.text, part.signature, part.origin, conversion)
        elif isinstance(part, Redacted) and part.origin not in (
            LONE_SIGNATURE,
            CALL_SIGNATURE,
            GEMINI_CALL_SIGNATURE,
            TEXT_SIGNATURE,
        ):
            detail = write_hidden_detail(part.data, part.origin, conversion)
        else:
            continue
        detail["index"] = len(details)
        details.append(detail)
    return details


def write_signed_detail(
    text: str, signature: str, origin: str, conversion: Conversion
) -> dict[str, object]:
    """A `reasoning.text` detail; what another dialect minted is sealed."""
    if origin == NAME:
        return write_reasoning_detail("reasoning.text", signature, text)
    return {
        "type": "reasoning.text",
        "text": text,
        "signature": conversion.sealed("signature", signature),
        "format": "anthropic-claude-v1" if origin == "messages" else "unknown",
    }


def write_hidden_detail(data: str, origin: str, conversion: Conversion) -> dict[str, object]:
    """A `reasoning.encrypted` detail; what another dialect minted is sealed."""
    if origin == NAME:
        return write_reasoning_detail("reasoning.encrypted", data)
    return {
        "type": "reasoning.encrypted",
        "data": conversion.sealed("redacted", data),
        "format": "anthropic-claude-v1" if origin == "messages" else "unknown",
    }


def _pair_signatures(parts: list[Part], conversion: Conversion) -> list[tuple[ToolCall, str]]:
    """The tool calls, each with the signature that stands before it."""
    calls: list[tuple[ToolCall, str]] = []
    signature = ""
    for part in parts:
        if isinstance(part, Redacted) and part.origin == CALL_SIGNATURE:
            signature = part.data
        elif isinstance(part, Redacted) and part.origin == GEMINI_CALL_SIGNATURE:
            signature = conversion.sealed(CALL_SIGNATURE, part.data)
        elif isinstance(part, ToolCall):
            calls.append((part, signature))
            signature = ""
    return calls


def _write_call(call: ToolCall, signature: str) -> dict[str, object]:
    extra = write_extra_content(signature)
    if call.custom:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.id, "type": "custom", "custom": custom} | extra
    function = {"name": call.name, "arguments": call.arguments.strip() or "{}"}
    return {"id": call.id, "type": "function", "function": function} | extra
