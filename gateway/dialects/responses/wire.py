"""The members of Responses JSON that another dialect can use, and how a wrong one is named.

Lists whose members differ by `type` are read as raw members and sniffed: a tagged union would
refuse the types of tomorrow.
"""

from msgspec import Raw, Struct

from gateway.wire.raw_json import ABSENT

DIALECT_NAME = "responses"
"""The dialect's name, and the origin of what is native to it."""
CHAT_ONLY_MEMBERS = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n",
    "presence_penalty", "random_seed", "reasoning_effort", "response_format", "seed", "stop",
    "verbosity",
})  # fmt: skip
"""Members of Chat requests that the API refuses as unknown."""


class Kind(Struct):
    """What identifies an item, a part or a tool; `EasyInputMessage` may have a role only."""

    type: str | None = None
    role: str | None = None
    id: str | None = None


class Breakpoint(Struct):
    """`PromptCacheBreakpoint`."""

    mode: str = "explicit"
    ttl: str | None = None


class TextPart(Struct):
    """`ResponseInputText`, `ResponseOutputText`, and a part of a reasoning item."""

    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class RefusalPart(Struct):
    """`ResponseOutputRefusal`."""

    refusal: str


class ImagePart(Struct):
    """`ResponseInputImage`."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class FilePart(Struct):
    """`ResponseInputFile`."""

    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class MessageItem(Struct):
    """`EasyInputMessage`, `Message` and `ResponseOutputMessage`."""

    role: str
    content: str | list[Raw] | None = None
    phase: str | None = None


class ReasoningItem(Struct):
    """`ResponseReasoningItem`."""

    summary: list[TextPart] | None = None
    content: list[TextPart] | None = None
    encrypted_content: str | None = None


class NamedCall(Struct):
    """The members that calls of functions and of custom tools share."""

    name: str
    call_id: str | None = None
    id: str | None = None
    namespace: str | None = None


class FunctionCall(NamedCall):
    """`ResponseFunctionToolCall`."""

    arguments: str | dict[str, Raw] | None = None


class CustomCall(NamedCall):
    """`ResponseCustomToolCall`."""

    input: str = ""


class ActionCall(Struct):
    """`LocalShellCall`, `ShellCall`, `ApplyPatchCall` and `ToolSearchCall`."""

    call_id: str | None = None
    id: str | None = None
    action: Raw = ABSENT
    operation: Raw = ABSENT
    arguments: Raw = ABSENT
    execution: str | None = None


class CallOutput(Struct):
    """The items that answer a call; a local shell's may name it by `id` alone."""

    call_id: str | None = None
    id: str | None = None
    output: Raw = ABSENT
    status: str | None = None
    tools: list[Raw] | None = None
    execution: str | None = None


class ShellOutcome(Struct):
    """`OutcomeExit` or `OutcomeTimeout`."""

    type: str = "exit"
    exit_code: int | None = None


class ShellOutput(Struct):
    """`ResponseFunctionShellCallOutputContent`."""

    stdout: str = ""
    stderr: str = ""
    outcome: ShellOutcome | None = None


class AdditionalTools(Struct):
    """`AdditionalTools`."""

    tools: list[Raw]


class ConfigurationUpdate(Struct):
    """`ResponseConfigurationUpdateItemParam`."""

    reasoning: Raw = ABSENT
    text: Raw = ABSENT


class CustomFormat(Struct):
    """`CustomToolInputFormat`."""

    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class UserLocation(Struct):
    """`UserLocation`."""

    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class SearchFilters(Struct):
    """`Filters` of a web search."""

    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class ToolParam(Struct):
    """Any member of `ToolParam`, with what its kind needs."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    format: CustomFormat | None = None
    tools: list[Raw] | None = None
    execution: str | None = None
    search_context_size: str | None = None
    user_location: UserLocation | None = None
    filters: SearchFilters | None = None


class ToolChoiceParam(Struct):
    """The object members of `ToolChoice`."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None
    tools: list[Raw] | None = None


class ReasoningConfig(Struct):
    """`Reasoning`."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class TextFormat(Struct):
    """`ResponseFormatTextConfig`."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class TextConfig(Struct):
    """`ResponseTextConfigParam`."""

    format: TextFormat | None = None
    verbosity: str | None = None


class CacheOptions(Struct):
    """`PromptCacheOptions`."""

    mode: str | None = None
    ttl: str | None = None
    prewarm: bool | None = None
