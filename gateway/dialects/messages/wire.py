"""The members of Messages JSON that another dialect can use, and how a wrong one is named.

Lists of blocks are read as raw members and their `type` is looked at first: a tagged union would
refuse the block types of tomorrow.
"""

from msgspec import Raw, Struct

from gateway.wire.raw_json import ABSENT


class Kind(Struct):
    """What a block, tool or event says it is."""

    type: str = ""


class CacheControl(Struct):
    """`CacheControlEphemeralParam`."""

    type: str = "ephemeral"
    ttl: str | None = None


class CitationsConfig(Struct):
    """`CitationsConfigParam`."""

    enabled: bool | None = None


class TextBlock(Struct, tag="text"):
    """`TextBlockParam`, and `TextBlock` of an answer."""

    text: str
    cache_control: CacheControl | None = None
    citations: list[Raw] | None = None


class ImageSource(Struct):
    """`Base64ImageSourceParam`, `URLImageSourceParam` or `FileImageSourceParam`."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class ImageBlock(Struct, tag="image"):
    """`ImageBlockParam`."""

    source: ImageSource
    cache_control: CacheControl | None = None
    transformations: Raw = ABSENT


class DocumentSource(Struct):
    """`Base64PDFSourceParam`, `PlainTextSourceParam`, `URLPDFSourceParam`, content or file."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Raw] | None = None


class DocumentBlock(Struct, tag="document"):
    """`DocumentBlockParam`."""

    source: DocumentSource
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class SearchResultBlock(Struct, tag="search_result"):
    """`SearchResultBlockParam`."""

    source: str
    title: str
    content: list[Raw]
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(Struct, tag="tool_use"):
    """`ToolUseBlockParam`; `input` keeps its own spelling."""

    id: str
    name: str
    input: Raw = Raw(b"{}")
    cache_control: CacheControl | None = None


class ToolResultBlock(Struct, tag="tool_result"):
    """`ToolResultBlockParam`."""

    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(Struct, tag="thinking"):
    """`ThinkingBlockParam`."""

    thinking: str
    signature: str | None = None


class RedactedBlock(Struct, tag="redacted_thinking"):
    """`RedactedThinkingBlockParam`."""

    data: str


class CompactionBlock(Struct):
    """`BetaCompactionBlockParam`; no content means that the compaction failed."""

    content: str | None = None


class ToolReference(Struct):
    """`ToolReferenceBlockParam`."""

    tool_name: str = ""
    name: str = ""


class ChangedTool(Struct):
    """`BetaToolChangeToolReferenceParam` or an inline definition."""

    type: str = ""
    name: str = ""
    definition: Raw = ABSENT


class ToolChange(Struct):
    """`BetaRequestToolAdditionBlockParam`, `BetaRequestToolRemovalBlockParam`."""

    tool: ChangedTool


class SystemOutputConfig(Struct):
    """`BetaSystemMessageOutputConfigParam`."""

    effort: str | None = None


class MessageParam(Struct):
    """`MessageParam` and `BetaSystemMessageParam`."""

    role: str
    content: str | list[Raw] | None = None
    clear_at: str | None = None
    output_config: SystemOutputConfig | None = None


class ThinkingConfig(Struct):
    """`ThinkingConfigParam`."""

    type: str
    budget_tokens: int | float | None = None
    display: str | None = None


class OutputFormat(Struct):
    """`JSONOutputFormatParam`."""

    type: str
    schema: Raw = ABSENT


class OutputConfig(Struct):
    """`OutputConfigParam`."""

    effort: str | None = None
    format: OutputFormat | None = None
    task_budget: Raw = ABSENT


class Metadata(Struct):
    """`MetadataParam`."""

    user_id: str | None = None


class ToolChoiceParam(Struct):
    """`ToolChoiceParam`."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class UserLocation(Struct):
    """`UserLocationParam`."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    timezone: str | None = None


class ToolDefinition(Struct):
    """Any member of `ToolUnionParam`: custom, client-executed or run by the upstream."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    input_examples: list[Raw] | None = None
    cache_control: CacheControl | None = None
    allowed_callers: list[str] | None = None
    max_uses: int | None = None
    max_characters: int | None = None
    user_location: UserLocation | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    display_width_px: int | None = None
    display_height_px: int | None = None


class ThinkingTokens(Struct):
    """`OutputTokensDetails`."""

    thinking_tokens: int | None = None


class UsageCounts(Struct):
    """`Usage` and `MessageDeltaUsage`: a null count says nothing."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: ThinkingTokens | None = None
    service_tier: str | None = None


class StopDetails(Struct):
    """`RefusalStopDetails`."""

    explanation: str | None = None


class AnswerMessage(Struct):
    """`Message`, or the error in its place."""

    content: list[Raw]
    type: str | None = ""
    error: Raw = ABSENT
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: UsageCounts | None = None


class CitationBlock(Struct):
    """Any member of `TextCitation`, of which a web page has a `url`."""

    url: str | None = None
    title: str | None = None
    document_title: str | None = None
    cited_text: str | None = None


class StartedMessage(Struct):
    """`Message` as `RawMessageStartEvent` shows it, before it has content."""

    id: str | None = None
    model: str | None = None
    usage: UsageCounts | None = None


class Delta(Struct):
    """Any member of `RawContentBlockDelta`, and the delta of `RawMessageDeltaEvent`."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class StreamEvent(Struct):
    """Any member of `RawMessageStreamEvent`, and the error event."""

    type: str = ""
    index: int | None = None
    delta: Delta | None = None
    content_block: Raw = ABSENT
    message: StartedMessage | None = None
    usage: UsageCounts | None = None
    error: Raw = ABSENT


class StartedBlock(Struct):
    """Any block as `RawContentBlockStartEvent` shows it: some servers give its content at once."""

    type: str = ""
    text: str | None = None
    citations: list[Raw] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")
