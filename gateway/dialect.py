"""What a wire format must be able to do. Dialects do no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Raw, Struct

from gateway.capability.record import Capability
from gateway.errors import GatewayError
from gateway.neutral.events import Event, Message, Prompt, Usage
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal, Sealed
from gateway.wire.sse import Frame
from gateway.wire.text_slot import Json, TextSlot

Fields = dict[str, Raw]
"""The top level of a request body: each member's own bytes."""
Block = dict[str, Any]
"""One JSON object to be written."""
AroundText = Callable[[], tuple[bytes, bytes] | None]
"""Returns the bytes before and after a text in the wire form of a piece of text."""


class ToolNames:
    """A request's bijection of tool names: `sent` is the upstream's, `known` the client's."""

    __slots__ = ("_to_client", "_to_upstream")

    def __init__(self, sent: dict[str, str] | None = None) -> None:
        self._to_upstream = sent or {}  # client's name -> upstream's; only the rewritten ones
        self._to_client = {theirs: ours for ours, theirs in self._to_upstream.items()}

    def to_upstream(self, name: str) -> str:
        """The upstream's name for the client's tool."""
        return self._to_upstream.get(name, name)

    def to_client(self, name: str) -> str:
        """The client's name for the upstream's tool."""
        return self._to_client.get(name, name)


class SignatureStore(Protocol):
    """The signatures of one caller's tool calls at one target, for clients that drop them."""

    def keep(self, id: str, signature: str) -> None:
        """Keeps the signature of the call with that id."""

    def find(self, id: str) -> str | None:
        """The signature of the call with that id, if it was kept."""


class Conversion(Struct):
    """One call's way between two dialects: what writing the request settled and the answer needs.

    Made by `convert` for each attempt; `write_prompt` fills the four members from `names`.
    """

    prompt: Prompt
    provider: str
    model: str  # the upstream's name of the model
    alias: str  # the name the client asked for, echoed in the answer
    capability: Capability
    notes: LossReport
    seal: Seal
    names: ToolNames = ToolNames()
    local_stops: tuple[str, ...] = ()  # stop sequences to enforce here (2.9.6)
    answer_tool: str | None = None  # the tool whose input is the answer's content
    input_estimate: int = 0  # tokens, for dialects that open with a count
    stored: bool = False  # the gateway keeps the answer, for a Responses client to go on from
    previous: str | None = None  # the id of the answer that the client goes on from
    signed: SignatureStore | None = None  # where the upstream signs tool calls
    keys: dict[str, ToolNames] = {}  # of tools, those whose inputs' keys are others at the upstream

    def sealed(self, kind: str, data: str) -> str:
        """The data sealed as minted by this call's provider and model."""
        return self.seal.seal(Sealed(self.provider, self.model, kind, data))

    def unsealed(self, blob: str) -> Sealed | None:
        """What a sealed blob holds, if this call's provider and model minted it."""
        sealed = self.seal.unseal(blob)
        if sealed is None or (sealed.provider, sealed.model) != (self.provider, self.model):
            return None
        return sealed


class Reader:
    """Turns the frames of one upstream stream into neutral events."""

    ended: bool
    """The answer is complete, or a local stop ended it: the rest of the stream is ignored."""
    cut: bool
    """A local stop ended it: the upstream is still sending."""
    around_text: AroundText | None = None
    """The bytes of a frame before and after its text, in the current text run. None, here or as
    the result: frames have to be read one by one."""

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame. Raises Refused for an in-band error, BadAnswer for nonsense."""
        raise NotImplementedError

    def finish(self) -> list[Event]:
        """The events still due when the stream ends. Raises Cut if it ended too early."""
        raise NotImplementedError


class Writer:
    """Turns neutral events into the bytes of one client stream."""

    around_text: AroundText | None = None
    """The bytes before and after more text of the open part. None, here or as the result: text has
    to be written as events."""
    wrote: Callable[[int], None] | None = None
    """Called with the number of characters that were written with `around_text`."""
    write_failure: Callable[[GatewayError], bytes] | None = None
    """Ends the stream with an error, if the dialect sends more than the error event."""

    def write(self, event: Event) -> bytes:
        """The wire form of one event; empty if the dialect has none."""
        raise NotImplementedError


class AnswerSummary(Struct):
    """What a whole answer's bytes say at a glance: an error in a 200, and the tokens used."""

    error: GatewayError | None = None
    usage: Usage | None = None


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Dialect:
    """One wire format: its name, its path, and both directions of it, each a function."""

    name: str
    path: str
    """The path at an upstream, under its base URL."""
    terminators: tuple[bytes, ...] = ()
    """How the bytes of a stream may end; nothing that means anything follows."""
    ping: bytes
    """A sign of life between two events of a stream."""

    # --- requests ---

    check: Callable[[Fields], None]
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    read_prompt: Callable[[Fields, LossReport], Prompt]
    """A client's request that `check` let pass; notes what no other dialect can say.

    Raises InvalidRequest.
    """
    write_prompt: Callable[[Conversion], Fields]
    """The upstream's request for `conversion.prompt`, in the conversion's capability."""

    read_texts: Callable[[Fields], list[str]] | None = None
    """The texts of a request that has no prompt to read; None: those of its prompt."""

    # --- answers ---

    read_message: Callable[[bytes, Conversion], Message]
    """A whole answer of an upstream. BadAnswer where it is none, Refused for an error."""
    write_message: Callable[[Message, Conversion], bytes]
    """A whole answer for the client."""
    reader: Callable[[Conversion], Reader]
    """A reader of one upstream stream."""
    writer: Callable[[Conversion], Writer]
    """A writer of one client stream."""
    summarize: Callable[[bytes], AnswerSummary]
    """What an upstream's whole 200 answer says at a glance."""
    find_answer_texts: Callable[[Json], list[TextSlot]]
    """The visible texts in a decoded answer or event, for filters that may change them."""
    is_complete: Callable[[bytes], bool]
    """Whether a stream whose last bytes these are came to its proper end."""
    usage_opt_in: bool = False
    """Its streams tell the tokens used only to a client that asks for them."""
    late_errors: bool = False
    """Its streams tell of a slip at their end only: another attempt may do better until then."""

    # --- errors ---

    stream_error: Callable[[Frame], GatewayError | None]
    """The error that a frame of this dialect's stream carries, if any."""
    is_preamble: Callable[[Frame], bool] | None = None
    """Whether a frame only tells of an answer to come: an error may still be a status."""
    read_error: Callable[[int, bytes], GatewayError]
    """What an upstream's error answer says, in the gateway's words; given its status."""
    write_error: Callable[[GatewayError, str], bytes]
    """An error body for the client; given the request's id, as is the next."""
    write_error_event: Callable[[GatewayError, str], bytes]
    """An error inside a stream; no ending follows it."""
    error_status: Callable[[GatewayError], int]
    """The status a client of this dialect gets for the error (5.1)."""
    error_as_event: Callable[[GatewayError], bool] = _never
    """Whether a client that asked for a stream understands the error only there."""

    convertible: bool = True
    """Other dialects have words for what it says."""
