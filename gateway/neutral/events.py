"""The neutral form: prompts, answers and stream events independent of any dialect.

It is shaped like Messages blocks plus Responses items: an ordered list of typed parts in each turn.
Leaves (tool arguments, schemas, signatures, base64 data) stay the text they arrived as. Counts in
`Usage` are exclusive, as in Messages. Stop reasons are those of Messages.
"""

from typing import Literal

from msgspec import Raw, Struct

# --- parts ----------------------------------------------------------------------------------------


class CacheMark(Struct, frozen=True):
    """A prompt-cache breakpoint after the part that carries it; `ttl` is "5m", "1h" or None."""

    ttl: str | None = None


class Citation(Struct, frozen=True):
    """A source of a text part; `raw` is the citation as its dialect wrote it.

    `span` is the cited range of the part's text, in code points; None is all of it.
    """

    raw: Raw
    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    span: tuple[int, int] | None = None


class Text(Struct):
    """Plain text."""

    text: str
    cache: CacheMark | None = None
    citations: list[Citation] = []


class Image(Struct):
    """An image: base64 `data` with its media type, or a `url`, or an upstream's `file_id`."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    cache: CacheMark | None = None


class Document(Struct):
    """A file: base64 `data`, plain `text`, a `url`, nested `parts`, or an upstream's `file_id`."""

    media_type: str | None = None
    data: str | None = None
    text: str | None = None
    url: str | None = None
    parts: "list[Part] | None" = None
    file_id: str | None = None
    title: str | None = None
    context: str | None = None
    cited: bool = False
    cache: CacheMark | None = None


class Audio(Struct):
    """A sound: base64 `data` in `format`, or the id of one in an earlier answer."""

    data: str | None = None
    format: str | None = None
    id: str | None = None


class Thinking(Struct):
    """Readable reasoning; `signature` is native to `origin` or sealed by this gateway."""

    text: str
    signature: str | None = None
    origin: str = ""


class Redacted(Struct):
    """Hidden reasoning, native to `origin` or sealed by this gateway."""

    data: str
    origin: str = ""


class ToolCall(Struct):
    """A tool call of the model; `arguments` is JSON text, or free text when `custom`."""

    id: str
    name: str
    arguments: str = ""
    custom: bool = False
    cache: CacheMark | None = None


class ToolResult(Struct):
    """The result of a tool call."""

    call_id: str
    parts: "list[Part]" = []
    is_error: bool = False
    cache: CacheMark | None = None


class SearchResult(Struct):
    """A passage that the client found, with its source."""

    source: str
    title: str
    parts: "list[Part]" = []
    cache: CacheMark | None = None


class ServerTool(Struct):
    """A call or result of a tool that the upstream runs itself; `text` is its readable form."""

    text: str
    type: str
    raw: Raw


class Refusal(Struct):
    """The model's words of refusal."""

    text: str


class Opaque(Struct):
    """A part of an unknown type, kept unchanged."""

    type: str
    raw: Raw
    origin: str


Part = (
    Text | Image | Document | Audio | Thinking | Redacted | ToolCall | ToolResult | SearchResult
    | ServerTool | Refusal | Opaque
)  # fmt: skip

Role = Literal["user", "assistant", "system"]


class Turn(Struct):
    """One message of the prompt. Tool results stand in user turns, before its other parts."""

    role: Role
    parts: list[Part]
    name: str | None = None


# --- prompt ---------------------------------------------------------------------------------------


class ClientToolKind(Struct, frozen=True):
    """A tool as a Responses client defines it: the kind of its calls, its name, its namespace."""

    kind: Literal["function", "custom", "local_shell", "shell", "apply_patch", "tool_search"]
    name: str
    namespace: str | None = None


class Tool(Struct):
    """A tool the client runs. `schema` is a JSON Schema, None when the dialect gave none.

    `custom` tools take free text; `grammar` is then (syntax, definition) or None. `form` is set for
    the tools of a Responses client that are not plain functions.
    """

    name: str
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    examples: list[Raw] = []
    cache: CacheMark | None = None
    custom: bool = False
    grammar: tuple[str, str] | None = None
    form: ClientToolKind | None = None


class WebSearch(Struct):
    """The upstream's own web search; `context` is low, medium or high."""

    context: str | None = None
    max_uses: int | None = None
    location: dict[str, str] = {}
    allowed_domains: list[str] = []
    blocked_domains: list[str] = []


class ToolChoice(Struct):
    """Which tool the model must use; `name` with "tool" only."""

    mode: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class Reasoning(Struct):
    """Reasoning settings: the `mode` of Messages, a budget in tokens, an effort."""

    mode: Literal["enabled", "disabled", "adaptive", "between_tools"] | None = None
    budget: int | None = None
    effort: str | None = None
    display: str | None = None


class Format(Struct):
    """The shape of the answer: any JSON object, or one that meets `schema`."""

    kind: Literal["json_object", "json_schema"]
    schema: Raw | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Prompt(Struct):
    """A whole request. `system` holds the leading system turns, one part for each.

    Members from `stream` on describe the answer that the client wants.
    """

    model: str
    turns: list[Turn]
    system: list[Text] = []
    tools: list[Tool] = []
    web_search: WebSearch | None = None
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: list[str] = []
    reasoning: Reasoning | None = None
    format: Format | None = None
    verbosity: str | None = None
    service_tier: Literal["auto", "default", "fast"] | None = None
    cache_implicit: bool = False  # the client wants the upstream to place the cache mark itself
    cache_explicit: bool = False  # only the client's own marks count
    user: str | None = None
    session: str | None = None  # the same for all calls of one agent session
    stream: bool = False
    include_usage: bool = False
    legacy_functions: bool = False
    echo: dict[str, Raw] = {}  # members of a Responses request that its answer repeats


# --- answer ---------------------------------------------------------------------------------------

Stop = Literal[
    "end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn", "refusal",
    "model_context_window_exceeded", "compaction",
]  # fmt: skip


class Usage(Struct):
    """Tokens of one answer: `input` excludes what was read from or written to the prompt cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int | None = None


class Ending(Struct):
    """Why and how an answer ended; `explanation` goes with the stop "refusal"."""

    stop: Stop
    stop_sequence: str | None = None
    explanation: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    native: str | None = None  # the upstream's stop reason, if `stop` is less exact


class Message(Struct):
    """A whole answer."""

    id: str
    model: str
    parts: list[Part]
    ending: Ending


# --- events: an answer in pieces ------------------------------------------------------------------
# MessageStart, then the parts one after another, each with its *Start, deltas and PartEnd, and last
# MessageEnd. At most one part is open at any time; readers reorder what an upstream interleaves.


class MessageStart(Struct):
    """The answer begins."""

    id: str
    model: str
    usage: Usage | None = None


class TextStart(Struct):
    """A text part begins."""


class ThinkingStart(Struct):
    """A reasoning part begins."""


class ToolStart(Struct):
    """A tool call begins; `name` is the client's name of the tool."""

    id: str
    name: str
    custom: bool = False


class RedactedThinking(Struct):
    """A whole part of hidden reasoning, native to `origin`."""

    data: str
    origin: str


class TextDelta(Struct):
    """More text of the open text part."""

    text: str


class ThinkingDelta(Struct):
    """More text of the open reasoning part."""

    text: str


class Signature(Struct):
    """The whole signature of the open reasoning part, native to `origin`."""

    signature: str
    origin: str


class ArgumentsDelta(Struct):
    """More JSON (or free text, when custom) of the open tool call."""

    text: str


class CitationAdded(Struct):
    """A source of the open text part."""

    citation: Citation


class PartEnd(Struct):
    """The open part is complete."""


class RefusalDelta(Struct):
    """More words of a refusal, outside any part."""

    text: str


class KeepAlive(Struct):
    """A ping of the upstream."""


class MessageEnd(Struct):
    """The answer is complete."""

    ending: Ending


Event = (
    MessageStart | TextStart | ThinkingStart | ToolStart | RedactedThinking | TextDelta
    | ThinkingDelta | Signature | ArgumentsDelta | CitationAdded | PartEnd | RefusalDelta
    | KeepAlive | MessageEnd
)  # fmt: skip
