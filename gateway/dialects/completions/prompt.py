"""A request for a text completion, read as one for a chat with a single turn."""

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.chat import request_in
from gateway.dialects.common.members import check_types, require_member
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import ABSENT, member, present

DEFAULT_MAX_TOKENS = Raw(b"16")
"""What the API takes where a client sets no `max_tokens`."""
_MEMBER_TYPES: dict[str, type[object]] = {
    "best_of": float, "echo": bool, "frequency_penalty": float, "logprobs": float,
    "max_tokens": float, "n": float, "presence_penalty": float, "seed": float, "stream": bool,
    "suffix": str, "temperature": float, "top_p": float, "user": str,
}  # fmt: skip
_UNSUPPORTED_DEFAULTS = {"echo": (b"false",), "suffix": (b'""',), "best_of": (b"1", b"1.0")}
"""Members that a chat has no word for, and the values that ask for nothing."""
_OWN_MEMBERS = frozenset({"prompt", *_UNSUPPORTED_DEFAULTS})


def check(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    if not member(require_member(fields, "model"), str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    require_member(fields, "prompt")
    check_types(fields, _MEMBER_TYPES)


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The request in neutral form; InvalidRequest for a prompt that is more than one text."""
    check(fields)
    turn = {"role": "user", "content": _read_text(fields["prompt"])}
    chat = {name: raw for name, raw in fields.items() if name not in _OWN_MEMBERS}
    chat["messages"] = Raw(msgspec.json.encode([turn]))
    if not present(chat.get("max_tokens", ABSENT)):
        chat["max_tokens"] = DEFAULT_MAX_TOKENS
    prompt = request_in.read_prompt(chat, notes)
    for name, values in _UNSUPPORTED_DEFAULTS.items():
        raw = fields.get(name, ABSENT)
        if present(raw) and bytes(raw) not in values:
            notes.drop(name)
    return prompt


def _read_text(raw: Raw) -> str:
    if bytes(raw)[:1] != b"[":
        text = member(raw, str, "prompt") if present(raw) else ""
    else:
        text = _read_single_text(member(raw, list[Raw], "prompt"))
    if not text:
        raise InvalidRequest("prompt: this provider needs a text to answer", param="prompt")
    return text


def _read_single_text(prompts: list[Raw]) -> str:
    """The text of a list of one."""
    if any(bytes(each)[:1] != b'"' for each in prompts):
        raise InvalidRequest("prompt: this provider takes text, no tokens", param="prompt")
    if len(prompts) > 1:
        message = "prompt: this provider takes one text a call; send a request for each"
        raise InvalidRequest(message, param="prompt")
    return member(prompts[0], str, "prompt[0]") if prompts else ""
