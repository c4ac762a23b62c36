"""The examples of the reference with many providers: a client key, variables for all else."""

from typing import Any

from tests.admin.test_examples import EXAMPLES
from tests.seeds.examples import SHOWN, Example
from tests.seeds.house import KEY

HELLO = [{"role": "user", "content": "Hello!"}]
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HELLO, "stream": False}
CHAT_CURL = {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 100}
CHAT_SHOWS: dict[str, Any] = {
    "id": "chatcmpl-123",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello! How can I help you?"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
}
CHAT_FIXED = {
    "object": "chat.completion",
    "model": "gpt-4o-mini",
    "choices.0.message.role": "assistant",
    "choices.0.message.content": "Hello! How can I help you?",
    "choices.0.finish_reason": "stop",
}
MODEL = "claude-3-haiku-20240307"
MESSAGES_CURL: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": HELLO}
MESSAGES = MESSAGES_CURL | {"stream": False}
MESSAGES_SHOWS: dict[str, Any] = {
    "id": "msg_123",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hello! How can I help you?"}],
    "model": MODEL,
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 12},
}
MESSAGES_FIXED = {
    "type": "message",
    "role": "assistant",
    "content.0.text": "Hello! How can I help you?",
    "model": MODEL,
    "stop_reason": "end_turn",
    "stop_sequence": None,
}
COUNT = {"model": MODEL, "messages": HELLO}
TEMPERED = {"system": "Be brief.", "temperature": 0.5}
BEARER = {"authorization": f"Bearer {KEY}"}
LISTED = EXAMPLES["/v1/models?format=openai&provider=openai"]
TYPED = {"data": [{"type": "model", "id": "gpt-4o-mini", "display_name": "x"}], "has_more": False}
TOP = EXAMPLES["/top-models?limit=5"]
RAW = {"data": [{"id": "gpt-4o-mini"}]}


def _chat(name: str, body: dict[str, Any], headers: dict[str, str]) -> Example:
    call = "POST /v1/chat/completions"
    return Example(name, "vandamme", call, CHAT_SHOWS, body, headers, fixed=CHAT_FIXED)


def _messages(name: str, body: dict[str, Any], headers: dict[str, str]) -> Example:
    call = "POST /v1/messages"
    fixed = MESSAGES_FIXED
    if body["model"] != MODEL:
        fixed = MESSAGES_FIXED | {"model": body["model"].partition(":")[2]}
    return Example(name, "vandamme", call, MESSAGES_SHOWS, body, headers, fixed=fixed)


def _get(name: str, path: str, shows: Any, headers: dict[str, str], **more: Any) -> Example:
    return Example(name, "vandamme", f"GET {path}", shows, None, headers, **more)


ROWS = [
    _messages("curl: x-api-key", MESSAGES, SHOWN),
    _messages("curl: Authorization", MESSAGES, BEARER),
    _messages("messages curl", MESSAGES_CURL, SHOWN),
    _messages(
        "messages, Messages upstream", MESSAGES_CURL | {"model": f"anthropic:{MODEL}"}, SHOWN
    ),
    _messages("messages with system and temperature", MESSAGES_CURL | TEMPERED, SHOWN),
    _chat("chat body", CHAT, SHOWN),
    _chat("chat curl", CHAT_CURL, SHOWN),
    _chat("chat curl, Authorization", CHAT_CURL, BEARER),
    _chat("chat with a provider's prefix", CHAT | {"model": "openai:gpt-4o-mini"}, SHOWN),
    _chat("chat with temperature", CHAT_CURL | {"temperature": 0.5}, SHOWN),
    Example(
        "count tokens", "vandamme", "POST /v1/messages/count_tokens", {"input_tokens": 9},
        COUNT, SHOWN, differs="our own estimate carries output_tokens too",
    ),
    Example(
        "count tokens, native", "vandamme", "POST /v1/messages/count_tokens", {"input_tokens": 9},
        COUNT | {"model": f"anthropic:{MODEL}"}, SHOWN, fixed={"input_tokens": 9},
    ),
    _get(
        "models curl", "/v1/models?format=openai&provider=openai", LISTED, SHOWN,
        fixed={"object": "list", "data.0.object": "model"},
    ),
    _get("models refreshed", "/v1/models?format=openai&refresh=true", LISTED, SHOWN),
    _get("models raw", "/v1/models?format=raw&provider=openai", RAW, SHOWN),
    _get("models for Anthropic", "/v1/models?format=anthropic&provider=openai", TYPED, SHOWN),
    _get(
        "models, anthropic-version", "/v1/models?provider=openai", TYPED,
        SHOWN | {"anthropic-version": "2023-06-01"},
    ),
    _get(
        "models, the header beats the query", "/v1/models?provider=nobody&format=openai", LISTED,
        SHOWN | {"provider": "openai"},
    ),
    _get(
        "aliases", "/v1/aliases", EXAMPLES["/v1/aliases"], SHOWN,
        fixed={
            "object": "list",
            "aliases.poe": {"haiku": "gpt-4o-mini", "sonnet": "gpt-4o"},
            "aliases.openai.fast": "gpt-4o-mini",
        },
    ),
    _get(
        "health", "/health", EXAMPLES["/health"], {},
        fixed={"status": "healthy", "default_provider": "openai", "api_key_valid": True,
               "client_api_key_validation": True, "providers.openai.api_format": "openai"},
        differs="JSON by default, YAML for those who ask",
    ),
    _get(
        "test-connection", "/test-connection", EXAMPLES["/test-connection"], SHOWN,
        fixed={"status": "success", "message": "Successfully connected to openai API",
               "provider": "openai"},
        differs="asks for the key, for it costs a completion",
    ),
    _get(
        "top-models", "/top-models?limit=5", TOP, SHOWN,
        fixed={"object": "top_models", "source": "manual", "models.0.ranking": 1},
    ),
    _get(
        "top-models with all parameters",
        "/top-models?limit=1&refresh=true&provider=anthropic&include_cache_info=true",
        TOP | {"cache": {}}, SHOWN, fixed={"providers": ["anthropic"]},
    ),
    _get(
        "root", "/", EXAMPLES["/"], {},
        fixed={"status": "running", "config.api_key_configured": True,
               "config.client_api_key_validation": True}
        | {f"endpoints.{name}": path for name, path in EXAMPLES["/"]["endpoints"].items()},
        lacks=frozenset({".config.max_tokens_limit", ".documentation"}),
        differs="null where the gateway has no such thing",
    ),
    Example(
        "passthrough, x-api-key", "passthru", "POST /v1/chat/completions", CHAT_SHOWS, CHAT,
        SHOWN, fixed=CHAT_FIXED,
    ),
    Example(
        "passthrough, Authorization", "passthru", "POST /v1/messages", MESSAGES_SHOWS, MESSAGES,
        BEARER, fixed=MESSAGES_FIXED,
    ),
    Example(
        "test-connection of a passthrough", "passthru", "GET /test-connection",
        {"status": "skipped", "message": "", "provider": "openai", "timestamp": ""},
        fixed={"status": "skipped"}, differs="nothing is sent: only clients have keys",
    ),
]  # fmt: skip
"""Requests that are answered."""
