"""What one (provider, model) pair takes and gives: data, never a name check in code."""

from typing import Literal

import msgspec
from msgspec import Struct


class Capability(Struct, frozen=True, forbid_unknown_fields=True):
    """A capability record; its defaults describe a plain OpenAI-compatible server of today."""

    dialects: tuple[Literal["chat", "messages", "responses", "gemini"], ...] = ()
    """Dialects of the provider that serve the model, best first; empty: all of them."""
    max_output: int | None = None
    """Most tokens of one answer; larger requests are clamped."""
    min_output: int = 1
    """Fewest tokens that a Responses request may ask for; smaller requests are raised."""
    context: int | None = None
    """Tokens of the context window."""
    sampling: Literal["all", "none", "temp1", "temp_xor_top_p"] = "all"
    """Which of temperature and top_p may be sent."""
    top_k: bool = False
    seed: Literal["seed", "random_seed", "none"] = "seed"
    """What the member for a seed is called."""
    penalties: bool = True
    """The model takes frequency and presence penalties."""
    token_param: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    developer_role: bool = False
    """The system prompt goes as role `developer`."""
    mid_system: bool = True
    """System turns may stand between others."""
    system_first_only: bool = False
    """A later system turn becomes a user turn."""
    prefill: Literal["none", "native", "prefix", "partial", "continue"] = "none"
    """How a trailing assistant turn is continued."""
    forced_tool: bool = True
    tool_choice_required: bool = True
    parallel_param: bool = True
    tool_name: str = "^[a-zA-Z0-9_-]{1,64}$"
    tool_name_length: int = 64
    input_key: str = ""
    """Grammar of the keys at the root of a tool's input; empty: any."""
    tool_id: Literal["any", "messages", "mistral", "openai"] = "any"
    tool_images: bool = False
    call_ids: bool = True
    """A Gemini model takes the ids of calls; without, it matches results by name and order."""
    custom_tools: bool = False
    strict_tools: bool = True
    images: bool = True
    image_urls: bool = True
    files: Literal["none", "pdf_b64", "pdf_url"] = "pdf_b64"
    audio: bool = False
    thinking: tuple[Literal["enabled", "disabled", "adaptive", "between_tools"], ...] = ()
    """Modes of Messages `thinking` the model takes; empty: none."""
    effort: tuple[str, ...] = ()
    """Levels of reasoning effort the model takes, lowest first; empty: the field is not sent."""
    effort_form: Literal["reasoning_effort", "openrouter", "output_config"] = "reasoning_effort"
    thinking_budget: tuple[int, int] = (0, 0)
    """Least and most tokens of thinking that a Gemini model takes; 0 and 0: it takes levels."""
    thinking_switch: Literal["none", "thinking", "enable_thinking", "openrouter"] = "none"
    """How a Chat server is told whether to think."""
    reasoning_out: Literal[
        "none", "reasoning_content", "required_with_tools", "reasoning_details"
    ] = "none"
    """How earlier reasoning is replayed to a Chat server."""
    thought_signatures: Literal["none", "extra_content", "required"] = "none"
    """Signatures of tool calls in `extra_content` are kept and put back; a turn that has none is
    refused where they are required, and gets the word that skips the check."""
    think_tags: bool = False
    """Reasoning stands in the content between <think> tags."""
    encrypted_reasoning: bool = True
    """A Responses server may be asked for its reasoning encrypted, so that it can be replayed."""
    reasoning_summary: bool = True
    """A Responses server may be asked for a summary of its reasoning."""
    schema: Literal["native", "json_object", "none"] = "native"
    schema_with_tools: bool = True
    """The answer may be held to a format while there are tools."""
    verbosity: bool = False
    stop_max: int = 4
    """Stop sequences the server takes; the rest are enforced here. 0: it takes none."""
    stream_usage: bool = True
    """Streams take `stream_options.include_usage`."""
    mend_calls: bool = False
    """Calls of a stream may lack index or id, or all have index 0: that is mended in place."""
    recode: bool = False
    """Streams repeat what clients join (role, id, name): they are read and written anew."""
    obfuscation_off: bool = False
    """Streams are padded unless `stream_options.include_obfuscation` is false."""
    cache: Literal["none", "breakpoints", "cache_control"] = "none"
    user_field: Literal["user", "safety_identifier", "none"] = "user"
    prompt_cache_key: bool = False
    service_tier: bool = False
    web_search: Literal["none", "web_search_options", "web_search_tool", "google_search"] = "none"
    empty_tool_content: bool = True
    tool_content_array: bool = False
    alternate_roles: bool = False
    extras: tuple[str, ...] = ()
    """Members of a request beyond its dialect's that pass as a client of any dialect wrote them."""
    anthropic_versions: tuple[str, ...] = ("2023-06-01",)
    """Messages API versions, newest first."""
    betas: tuple[str, ...] | None = None
    """Betas of the Messages API that the host knows, "ours=theirs" where it calls one otherwise;
    None: whatever the client asks for goes on."""
    completions: bool = False
    """A Chat server has legacy text completions too."""
    embeddings: bool = False
    """A Chat server has embeddings too."""


def differing(capability: Capability) -> dict[str, object]:
    """The members in which a model differs from a plain Chat server."""
    plain = msgspec.structs.asdict(Capability())
    members = msgspec.structs.asdict(capability)
    return {name: value for name, value in members.items() if value != plain[name]}
