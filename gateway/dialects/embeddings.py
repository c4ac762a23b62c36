"""Embeddings (`POST /embeddings`): a byte lane to providers that have them, and nothing else.

No other dialect has a word for them, so a request is passed on as it is or refused. Errors are
those of Chat.
"""

from dataclasses import replace

from gateway.dialect import Fields
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.digest import make_summarize
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import ABSENT, decode, member, present

_MEMBER_TYPES: dict[str, type[object]] = {
    "dimensions": float, "encoding_format": str, "user": str,
}  # fmt: skip


def _check_request(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped; none is streamed."""
    for name in ("model", "input"):
        if name not in fields:
            raise InvalidRequest(f"{name}: Field required", param=name)
    if not member(fields["model"], str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    if bytes(fields["input"])[:1] not in (b'"', b"["):
        raise InvalidRequest("input: must be text, or a list of texts or tokens", param="input")
    if bytes(fields.get("stream", ABSENT)) == b"true":
        raise InvalidRequest("stream: embeddings are not streamed", param="stream")
    for name, type in _MEMBER_TYPES.items():  # msgspec's word
        if name in fields and present(fields[name]):
            member(fields[name], type, name)


def _read_prompt(_fields: Fields, _notes: LossReport) -> Prompt:
    """InvalidRequest: there is no prompt in it."""
    raise InvalidRequest("an embedding is no answer of a chat model", param="input")


def _read_texts(fields: Fields) -> list[str]:
    """The texts to embed; a list of token numbers has none."""
    given = decode(bytes(fields["input"]), object)
    return [
        each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str)
    ]


EMBEDDINGS = replace(
    CHAT,
    name="embeddings",
    path="/embeddings",
    check=_check_request,
    read_prompt=_read_prompt,
    read_texts=_read_texts,
    summarize=make_summarize("data", "upstream returned no embeddings"),
    find_answer_texts=lambda _: [],
    convertible=False,
)
