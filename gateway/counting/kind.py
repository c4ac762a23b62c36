"""A request to count as a dialect of its own: Messages, under another path and with its own answer.

So a count is a call as any other to those who ask who calls and where to, and to a provider; those
who keep, repeat or convert answers have no part in it.
"""

from msgspec import Raw, Struct

from gateway.dialect import Dialect, Digest, Fields
from gateway.dialects.messages import Messages, request_in
from gateway.events import Prompt
from gateway.notes import Notes

_ANSWER_ONLY = frozenset({
    "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "top_k", "metadata",
    "service_tier", "container", "inference_geo", "fallbacks", "fallback_credit_token", "thread",
    "diagnostics", "output_format",
})  # fmt: skip
"""Members of a Messages request that the counting endpoint does not take."""
_LIMIT = Raw(b"1")


class Counted(Struct):
    """`MessageTokensCount`, and the second count that clients of other gateways read."""

    input_tokens: int
    output_tokens: int = 0


class Counting(Messages):
    """`POST /v1/messages/count_tokens` (`MessageCountTokensParams`)."""

    name = "count"
    path = "/messages/count_tokens"

    def check(self, fields: Fields) -> None:
        """InvalidRequest where a top-level member is missing or mistyped."""
        request_in.check_fields(_limited(fields))

    def read_prompt(self, fields: Fields, notes: Notes) -> Prompt:
        """What is to be counted."""
        return request_in.read_prompt(_limited(fields), notes)

    def digest(self, body: bytes) -> Digest:
        """Nothing: a count used no tokens."""
        return Digest()


def taken(fields: Fields) -> Fields:
    """The members that the counting endpoint takes; those that nobody knows go on."""
    return {name: raw for name, raw in fields.items() if name not in _ANSWER_ONLY}


def _limited(fields: Fields) -> Fields:
    # Messages asks for a limit that has no meaning here; a client may leave it out.
    return taken(fields) | {"max_tokens": _LIMIT}


COUNTING: Dialect = Counting()
