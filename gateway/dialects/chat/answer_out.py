"""The members of a Chat answer that a whole answer and a stream write alike."""

import secrets
import time

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import FINISH_REASON_OF_STOP, write_reasoning_detail
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.token_estimate import usage_or_estimate
from gateway.dialects.common.usage import write_usage
from gateway.neutral.events import Ending, Usage


def make_answer_id(id: str, prefix: str) -> str:
    """The id of an answer under the prefix that clients expect."""
    if id.startswith(prefix):
        return id
    for other in ("msg_", "resp_", "chatcmpl-"):
        id = id.removeprefix(other)
    return prefix + (id or secrets.token_hex(12))


def unix_time() -> int:
    """`created` of an answer: the gateway's clock, in seconds."""
    return int(time.time())


def write_usage_or_estimate(
    usage: Usage | None, written: int, conversion: Conversion
) -> dict[str, object]:
    """`CompletionUsage`; where the upstream counted nothing, four characters are a token."""
    return write_usage(usage_or_estimate(usage, written, "usage", conversion))


def write_stop(ending: Ending, conversion: Conversion) -> str:
    """`finish_reason` of an ending."""
    finish = FINISH_REASON_OF_STOP[ending.stop]
    legacy = finish == "tool_calls" and conversion.prompt.legacy_functions
    return "function_call" if legacy else finish


def write_stop_extras(ending: Ending) -> dict[str, object]:
    """Members of a choice that say more than `finish_reason`: vLLM's and OpenRouter's."""
    extras: dict[str, object] = {}
    if ending.stop == "stop_sequence" and ending.stop_sequence is not None:
        extras["stop_reason"] = ending.stop_sequence
    native = ending.native or ("pause_turn" if ending.stop == "pause_turn" else None)
    if native is not None:
        extras["native_finish_reason"] = native
    return extras


def write_annotation(url: str, title: str | None, start: int, end: int) -> dict[str, object]:
    """`Annotation` over a span of the content, in code points."""
    cited = {"url": url, "title": title or "", "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": cited}


def write_signed_detail(
    text: str, signature: str, origin: str, conversion: Conversion
) -> dict[str, object]:
    """A `reasoning.text` detail; a signature of another dialect is sealed."""
    if origin == NAME:
        return write_reasoning_detail("reasoning.text", signature, text)
    return {
        "type": "reasoning.text",
        "text": text,
        "signature": conversion.sealed("signature", signature),
        "format": _detail_format(origin),
    }


def write_hidden_detail(data: str, origin: str, conversion: Conversion) -> dict[str, object]:
    """A `reasoning.encrypted` detail; the data of another dialect is sealed."""
    if origin == NAME:
        return write_reasoning_detail("reasoning.encrypted", data)
    return {
        "type": "reasoning.encrypted",
        "data": conversion.sealed("redacted", data),
        "format": _detail_format(origin),
    }


def _detail_format(origin: str) -> str:
    return "anthropic-claude-v1" if origin == "messages" else "unknown"
