"""A whole Chat answer for a client (`ChatCompletion`)."""

import secrets
import time

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import DECLINED, FINISH, detail_block
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.extra_content import extra_content
from gateway.dialects.common.parameters import TIERS
from gateway.dialects.common.signatures import ALONE, CALL, NATIVE_CALL, SAID
from gateway.dialects.common.usage import inclusive
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


def chat_id(id: str) -> str:
    """The id of an answer as Chat clients expect it."""
    if id.startswith("chatcmpl-"):
        return id
    _, _, rest = id.partition("_") if id.startswith(("msg_", "resp_")) else ("", "", id)
    return f"chatcmpl-{rest or secrets.token_hex(12)}"


def now() -> int:
    """`created` of an answer: the gateway's clock."""
    return int(time.time())


def written_usage(usage: Usage | None, written: int, crossing: Crossing) -> dict[str, object]:
    """`CompletionUsage`; where the upstream counted nothing, four characters are a token."""
    if usage is None:
        crossing.notes.note("usage", "estimated")
        usage = Usage(crossing.input_estimate, -(-written // 4))
    return inclusive(usage)


def write_message(message: Message, crossing: Crossing) -> bytes:
    """`ChatCompletion` for the client."""
    ending = message.ending
    said, content = _said(message.parts, crossing)
    answered = (
        crossing.answer_tool is not None
        and "tool_calls" not in said
        and any(isinstance(part, ToolCall) for part in message.parts)
    )
    finish = finish_of(ending, crossing)
    if answered and ending.stop == "tool_use":
        finish = "stop"
    if ending.stop == "refusal" and said["refusal"] is None:
        said["refusal"] = ending.explanation or DECLINED
    choice: dict[str, object] = {
        "index": 0, "message": said, "logprobs": None, "finish_reason": finish,
    }  # fmt: skip
    if ending.stop != "end_turn" or ending.native is not None:
        choice |= ending_extras(ending)
    answer: dict[str, object] = {
        "id": chat_id(message.id),
        "object": "chat.completion",
        "created": now(),
        "model": crossing.alias or message.model,
        "choices": [choice],
        "usage": written_usage(ending.usage, len(content), crossing),
    }
    if tier := TIERS.get(ending.service_tier or ""):
        answer["service_tier"] = tier
    return msgspec.json.encode(answer)


def finish_of(ending: Ending, crossing: Crossing) -> str:
    """`finish_reason` of an ending."""
    finish = FINISH[ending.stop]
    return (
        "function_call" if finish == "tool_calls" and crossing.prompt.legacy_functions else finish
    )


def ending_extras(ending: Ending) -> dict[str, object]:
    """Members of a choice that say more than `finish_reason`: vLLM's and OpenRouter's."""
    extras: dict[str, object] = {}
    if ending.stop == "stop_sequence" and ending.stop_sequence is not None:
        extras["stop_reason"] = ending.stop_sequence
    native = ending.native or ("pause_turn" if ending.stop == "pause_turn" else None)
    if native is not None:
        extras["native_finish_reason"] = native
    return extras


def _said(parts: list[Part], crossing: Crossing) -> tuple[dict[str, object], str]:
    """The message of the answer, and its content."""
    content, annotations = _content(parts, crossing)
    said: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
    if annotations:
        said["annotations"] = annotations
    if [True for part in parts if not isinstance(part, Text)]:
        _say_more(said, parts, crossing)
    return said, content or ""


def _say_more(said: dict[str, object], parts: list[Part], crossing: Crossing) -> None:
    """What the parts say beside the text."""
    said["refusal"] = "".join([part.text for part in parts if isinstance(part, Refusal)]) or None
    thinking = [part.text for part in parts if isinstance(part, Thinking) and part.text]
    if thinking:
        said["reasoning_content"] = "".join(thinking)
    if details := _details(parts, crossing):
        said["reasoning_details"] = details
    for part in parts:
        if isinstance(part, Redacted) and part.origin in (SAID, ALONE):
            said |= extra_content(crossing.sealed(part.origin, part.data))
    calls = [call for call in _signed(parts, crossing) if call[0].name != crossing.answer_tool]
    if calls and crossing.prompt.legacy_functions:
        first, _ = calls[0]
        said["function_call"] = {"name": first.name, "arguments": first.arguments.strip() or "{}"}
        if len(calls) > 1:
            crossing.notes.note("tool_calls", "only_the_first_told")
    elif calls:
        said["tool_calls"] = [_written_call(*call) for call in calls]


def _content(parts: list[Part], crossing: Crossing) -> tuple[str | None, list[object]]:
    """The text of all parts and the annotations on it, spans counted in code points."""
    texts: list[str] = []
    annotations: list[object] = []
    length, apart = 0, False
    for part in parts:
        if isinstance(part, ToolCall) and part.name == crossing.answer_tool:
            texts.append(part.arguments)
        if isinstance(part, Redacted) and part.origin in (SAID, ALONE):
            continue  # it stands for no part of its own
        if not isinstance(part, Text):
            apart = True
            _note_lost(part, crossing)
            continue
        if apart and texts and part.text:
            texts.append("\n\n")
            length += 2
        apart = False
        end = length + len(part.text)
        for citation in part.citations:
            if citation.url is None:
                crossing.notes.note("citations", "without_url_dropped")
            else:
                first, last = citation.span or (0, len(part.text))
                span = (length + first, length + last)
                annotations.append(annotation(citation.url, citation.title, *span))
        texts.append(part.text)
        length = end
    return "".join(texts) or None, annotations


def annotation(url: str, title: str | None, start: int, end: int) -> dict[str, object]:
    """`Annotation` over a span of the content."""
    cited = {"url": url, "title": title or "", "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": cited}


def _note_lost(part: Part, crossing: Crossing) -> None:
    # a server tool's steps are told by the text after them; a client would try to run them
    if not isinstance(part, ToolCall | Thinking | Redacted | Refusal | ServerTool):
        crossing.notes.note(f"content.{type(part).__name__.lower()}", "unsupported_by_target")


def _details(parts: list[Part], crossing: Crossing) -> list[object]:
    details: list[object] = []
    for part in parts:
        if isinstance(part, Thinking) and part.signature:
            detail = signed_detail(part.text, part.signature, part.origin, crossing)
        elif isinstance(part, Redacted) and part.origin not in (ALONE, CALL, NATIVE_CALL, SAID):
            detail = hidden_detail(part.data, part.origin, crossing)
        else:
            continue
        detail["index"] = len(details)
        details.append(detail)
    return details


def signed_detail(text: str, signature: str, origin: str, crossing: Crossing) -> dict[str, object]:
    """A `reasoning.text` detail; what another dialect minted is sealed."""
    if origin == NAME:
        return detail_block("reasoning.text", signature, text)
    return {
        "type": "reasoning.text",
        "text": text,
        "signature": crossing.sealed("signature", signature),
        "format": "anthropic-claude-v1" if origin == "messages" else "unknown",
    }


def hidden_detail(data: str, origin: str, crossing: Crossing) -> dict[str, object]:
    """A `reasoning.encrypted` detail; what another dialect minted is sealed."""
    if origin == NAME:
        return detail_block("reasoning.encrypted", data)
    return {
        "type": "reasoning.encrypted",
        "data": crossing.sealed("redacted", data),
        "format": "anthropic-claude-v1" if origin == "messages" else "unknown",
    }


def _signed(parts: list[Part], crossing: Crossing) -> list[tuple[ToolCall, str]]:
    """The tool calls, each with the signature that stands before it."""
    calls: list[tuple[ToolCall, str]] = []
    signature = ""
    for part in parts:
        if isinstance(part, Redacted) and part.origin == CALL:
            signature = part.data
        elif isinstance(part, Redacted) and part.origin == NATIVE_CALL:
            signature = crossing.sealed(CALL, part.data)
        elif isinstance(part, ToolCall):
            calls.append((part, signature))
            signature = ""
    return calls


def _written_call(call: ToolCall, signature: str) -> dict[str, object]:
    extra = extra_content(signature)
    if call.custom:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.id, "type": "custom", "custom": custom} | extra
    function = {"name": call.name, "arguments": call.arguments.strip() or "{}"}
    return {"id": call.id, "type": "function", "function": function} | extra
