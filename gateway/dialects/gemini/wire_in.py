"""Members of a Gemini request (`GenerateContentConfig`, `Tool`)."""

from msgspec import Raw, Struct

from gateway.dialects.gemini.wire import Part
from gateway.wire.raw_json import ABSENT

Number = int | float
"""A count that JSON may write as 100.0."""


class RequestPart(Part, rename="camel"):
    """A part of a request, with the members that only a Gemini upstream supports."""

    video_metadata: Raw = ABSENT
    media_resolution: Raw = ABSENT


class RequestContent(Struct, rename="camel"):
    """`Content` of such parts."""

    parts: list[RequestPart] | None = None
    role: str | None = None


class ThinkingConfig(Struct, rename="camel"):
    """`ThinkingConfig`; a budget of 0 turns thinking off, -1 leaves it to the model."""

    include_thoughts: bool | None = None
    thinking_budget: Number | None = None
    thinking_level: str | None = None


class FunctionDeclaration(Struct, rename="camel"):
    """`FunctionDeclaration`: its parameters as a Gemini schema, or as a JSON Schema."""

    name: str = ""
    description: str | None = None
    parameters: Raw = ABSENT
    parameters_json_schema: Raw = ABSENT


class TimeRange(Struct, rename="camel"):
    """`Interval`."""

    start_time: str | None = None
    end_time: str | None = None


class GoogleSearch(Struct, rename="camel"):
    """`GoogleSearch`."""

    exclude_domains: list[str] | None = None
    time_range_filter: TimeRange | None = None


class FunctionCallingConfig(Struct, rename="camel"):
    """`FunctionCallingConfig`."""

    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Struct, rename="camel"):
    """`ToolConfig`."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: Raw = ABSENT
    include_server_side_tool_invocations: bool | None = None
