"""The members of Gemini JSON that another dialect can use (`Content`, `GenerateContentResponse`).

On the wire names are camelCase; `args`, `response` and schemas stay the bytes they arrived as.
"""

from msgspec import Raw, Struct

from gateway.wire.raw_json import ABSENT

NAME = "gemini"


class Blob(Struct, rename="camel"):
    """`Blob`: base64 data with its media type."""

    mime_type: str | None = None
    data: str | None = None
    display_name: str | None = None


class FileData(Struct, rename="camel"):
    """`FileData`: a file by its URI."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class FunctionCall(Struct, rename="camel"):
    """`FunctionCall`; `args` is an object."""

    name: str = ""
    args: Raw = ABSENT
    id: str | None = None


class FunctionResponsePart(Struct, rename="camel"):
    """`FunctionResponsePart`."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(Struct, rename="camel"):
    """`FunctionResponse`; `response` is an object."""

    name: str = ""
    response: Raw = ABSENT
    id: str | None = None
    parts: list[FunctionResponsePart] | None = None


class ExecutableCode(Struct, rename="camel"):
    """`ExecutableCode`: code that the upstream runs itself."""

    code: str = ""
    language: str | None = None
    id: str | None = None


class CodeExecutionResult(Struct, rename="camel"):
    """`CodeExecutionResult`."""

    output: str | None = None
    outcome: str | None = None
    id: str | None = None


class Part(Struct, rename="camel"):
    """`Part`: the member that is set is its kind; `thought` marks text as reasoning."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: Raw = ABSENT
    tool_response: Raw = ABSENT


class Content(Struct, rename="camel"):
    """`Content`: one turn; `role` is "user" or "model"."""

    parts: list[Part] | None = None
    role: str | None = None


class UsageCounts(Struct, rename="camel"):
    """`GenerateContentResponseUsageMetadata`; the prompt's count includes cached tokens."""

    prompt_token_count: int | float | None = None
    candidates_token_count: int | float | None = None
    thoughts_token_count: int | float | None = None
    cached_content_token_count: int | float | None = None
    tool_use_prompt_token_count: int | float | None = None
    total_token_count: int | float | None = None


class Web(Struct, rename="camel"):
    """`GroundingChunkWeb`."""

    uri: str | None = None
    title: str | None = None


class GroundingChunk(Struct, rename="camel"):
    """`GroundingChunk`: one source."""

    web: Web | None = None


class Segment(Struct, rename="camel"):
    """`Segment`: a span of one part's text, in bytes of UTF-8."""

    start_index: int | None = None
    end_index: int | None = None
    part_index: int | None = None
    text: str | None = None


class GroundingSupport(Struct, rename="camel"):
    """`GroundingSupport`: a span, and the indices of its sources in `grounding_chunks`."""

    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class GroundingMetadata(Struct, rename="camel"):
    """`GroundingMetadata`."""

    grounding_chunks: list[GroundingChunk] | None = None
    grounding_supports: list[GroundingSupport] | None = None


class Candidate(Struct, rename="camel"):
    """`Candidate`: one answer, or a piece of it."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    grounding_metadata: GroundingMetadata | None = None


class PromptFeedback(Struct, rename="camel"):
    """`GenerateContentResponsePromptFeedback`: why a prompt was blocked."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class GenerateContentResponse(Struct, rename="camel"):
    """`GenerateContentResponse`, whole or one event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageCounts | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = ABSENT
