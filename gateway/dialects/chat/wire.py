"""The members of Chat Completions JSON that another dialect can use, and how a wrong one is named.

Lists whose members differ by `type` are read as raw members and sniffed: a tagged union would
refuse the types of tomorrow.
"""

from msgspec import Raw, Struct

from gateway.dialects.common.shapes import FileFile
from gateway.wire.raw_json import ABSENT

NAME = "chat"
"""The dialect's name, and the origin of what is native to it."""


class Kind(Struct):
    """What a part, tool or format says it is."""

    type: str = ""


class CacheControl(Struct):
    """`CacheControlEphemeralParam`, which OpenRouter and others take in Chat parts."""

    type: str = "ephemeral"
    ttl: str | None = None


class Breakpoint(Struct):
    """`PromptCacheBreakpoint`."""

    mode: str = "explicit"
    ttl: str | None = None


class TextPart(Struct):
    """`ChatCompletionContentPartTextParam`."""

    text: str
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class RefusalPart(Struct):
    """`ChatCompletionContentPartRefusalParam`."""

    refusal: str


class ImageURL(Struct):
    """`ImageURL`."""

    url: str
    detail: str | None = None


class ImagePart(Struct):
    """`ChatCompletionContentPartImageParam`; some clients send the URL bare."""

    image_url: ImageURL | str
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class InputAudio(Struct):
    """`InputAudio`."""

    data: str
    format: str


class AudioPart(Struct):
    """`ChatCompletionContentPartInputAudioParam`."""

    input_audio: InputAudio


class FilePart(Struct):
    """`File`."""

    file: FileFile
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class ThinkingPart(Struct):
    """A part of reasoning in a content list, as Mistral writes it."""

    thinking: str | list[TextPart]


class FunctionCall(Struct):
    """`Function` of a call; some clients send the arguments as an object."""

    name: str
    arguments: str | dict[str, Raw] | None = None


class CustomCall(Struct):
    """`Custom` of a call."""

    name: str
    input: str = ""


class ToolCallParam(Struct):
    """`ChatCompletionMessageToolCallUnionParam`; its id is empty where a server gave none."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    extra_content: Raw = ABSENT


class AudioId(Struct):
    """`Audio` of an earlier answer."""

    id: str


class MessageParam(Struct):
    """Any member of `ChatCompletionMessageParam`, with the reasoning that providers add."""

    role: str
    content: str | list[Raw] | None = None
    name: str | None = None
    tool_calls: list[ToolCallParam] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: AudioId | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    thinking_blocks: list[Raw] | None = None
    cache_control: CacheControl | None = None
    extra_content: Raw = ABSENT


class Grammar(Struct):
    """`CustomFormatGrammarGrammar`."""

    definition: str
    syntax: str


class CustomFormat(Struct):
    """`CustomFormat`."""

    type: str = "text"
    grammar: Grammar | None = None


class CustomTool(Struct):
    """`Custom` of a tool."""

    name: str
    description: str | None = None
    format: CustomFormat | None = None


class FunctionTool(Struct):
    """`FunctionDefinition`, and the legacy `Function`."""

    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ApproximateLocation(Struct):
    """`WebSearchOptionsUserLocationApproximate`."""

    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class Location(Struct):
    """`WebSearchOptionsUserLocation`; Messages writes the place without `approximate`."""

    approximate: ApproximateLocation | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearchOptions(Struct):
    """`WebSearchOptions`, and the members of a Messages web search tool."""

    search_context_size: str | None = None
    user_location: Location | None = None
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class ToolParam(Struct):
    """`ChatCompletionToolUnionParam`; a Messages tool stands here without a `function`."""

    type: str | None = None
    function: FunctionTool | None = None
    custom: CustomTool | None = None
    cache_control: CacheControl | None = None
    name: str | None = None
    description: str | None = None
    input_schema: Raw = ABSENT


class Named(Struct):
    """What a forced or allowed tool is called."""

    name: str


class AllowedTool(Struct):
    """A member of `ChatCompletionAllowedToolsParam.tools`."""

    type: str = "function"
    function: Named | None = None
    custom: Named | None = None
    name: str | None = None


class AllowedTools(Struct):
    """`ChatCompletionAllowedToolsParam`."""

    mode: str
    tools: list[AllowedTool]


class ToolChoiceParam(Struct):
    """The object members of `ChatCompletionToolChoiceOptionParam`."""

    type: str = "function"
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None
    name: str | None = None


class JSONSchema(Struct):
    """`JSONSchema`."""

    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class ResponseFormat(Struct):
    """`ResponseFormat`."""

    type: str
    json_schema: JSONSchema | None = None


class StreamOptions(Struct):
    """`ChatCompletionStreamOptionsParam`."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CacheOptions(Struct):
    """`PromptCacheOptions`."""

    mode: str | None = None
    ttl: str | None = None


class ThinkingConfig(Struct):
    """`ThinkingConfigParam` of Messages, or the switch of DeepSeek and GLM."""

    type: str
    budget_tokens: int | float | None = None
    display: str | None = None


class ReasoningConfig(Struct):
    """OpenRouter's `reasoning`."""

    effort: str | None = None
    max_tokens: int | float | None = None
    exclude: bool | None = None
    enabled: bool | None = None
