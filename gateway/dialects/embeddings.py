"""Embeddings (`POST /embeddings`): a byte lane to providers that have them, and nothing else.

No other dialect has a word for them, so a request is passed on as it is or refused. Errors are
those of Chat.
"""

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Dialect, Digest, Fields
from gateway.dialects.chat import Chat
from gateway.dialects.chat.answer import UsageCounts, exclusive
from gateway.dialects.chat.errors import error_in
from gateway.errors import BadAnswer, InvalidRequest
from gateway.events import Prompt
from gateway.notes import Notes
from gateway.wire import ABSENT, decode, member, present

_TYPES: dict[str, type[object]] = {
    "dimensions": float, "encoding_format": str, "user": str,
}  # fmt: skip


class _Glance(Struct):
    """The members of `CreateEmbeddingResponse` that tell how it went."""

    data: Raw = ABSENT
    error: Raw = ABSENT
    usage: UsageCounts | None = None


class Embeddings(Chat):
    """`EmbeddingCreateParams` and `CreateEmbeddingResponse`."""

    name = "embeddings"
    path = "/embeddings"

    def check(self, fields: Fields) -> None:
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
        for name, type in _TYPES.items():  # msgspec's word
            if name in fields and present(fields[name]):
                member(fields[name], type, name)

    def read_prompt(self, fields: Fields, notes: Notes) -> Prompt:
        """InvalidRequest: there is no prompt in it."""
        raise InvalidRequest("an embedding is no answer of a chat model", param="input")

    def digest(self, body: bytes) -> Digest:
        """An error in a 200 answer, and the tokens used."""
        try:
            glance = decode(body, _Glance)
        except (msgspec.MsgspecError, RecursionError):
            return Digest(error_in(body))
        if present(glance.data) and not present(glance.error):
            return Digest(None, exclusive(glance.usage) if glance.usage is not None else None)
        return Digest(error_in(body) or BadAnswer("upstream returned no embeddings"))


EMBEDDINGS: Dialect = Embeddings()
