"""The examples of the reference with batches and a prompt cache: nobody has to show a key.

Its pictures are written with `...` in their data, or with words in its place; here they are a
whole PNG of one pixel, still labelled as the reference labels it.
"""

from dataclasses import replace
from typing import Any

from tests.admin.test_examples import EXAMPLES
from tests.seeds.examples import Example

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADU"
    "lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MESSAGE: dict[str, Any] = {
    "id": "msg_01234567890abcdef",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "I can see this is a beautiful landscape image"}],
    "model": "anthropic/claude-sonnet-4",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 1245,
        "output_tokens": 87,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    },
}
FIXED = {"type": "message", "role": "assistant", "stop_reason": "end_turn", "stop_sequence": None}
TOOL = {
    "name": "get_weather",
    "description": "Get weather information",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


def picture(data: str = PIXEL) -> dict[str, Any]:
    """An image block."""
    source = {"type": "base64", "media_type": "image/jpeg", "data": data}
    return {"type": "image", "source": source}


def looking(words: str, data: str = PIXEL) -> dict[str, Any]:
    """A request about a picture."""
    content = [{"type": "text", "text": words}, picture(data)]
    return {
        "model": "anthropic/claude-sonnet-4",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": content}],
    }


CREATE = looking("Describe this image:") | {
    "system": "You are a helpful assistant.",
    "tools": [TOOL],
    "tool_choice": {"type": "auto"},
    "temperature": 0.7,
    "top_p": 0.9,
    "stream": False,
}
RESULTS = {
    "model": "anthropic/claude-sonnet-4",
    "max_tokens": 1000,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hello world"}, picture()]},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_use",
                    "id": "tool_123",
                    "name": "get_weather",
                    "input": {"location": "San Francisco"},
                }
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "tool_123",
                    "content": "Weather data here",
                }
            ],
        },
    ],
    "tools": [TOOL],
}
BATCH: dict[str, Any] = {
    "messages": [
        {
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 100,
            "model": "anthropic/claude-3-5-sonnet",
        },
        {
            "messages": [{"role": "user", "content": "Hi there"}],
            "max_tokens": 150,
            "model": "anthropic/claude-3-5-sonnet",
        },
    ]
}
BATCHED = {
    "batch_id": "batch-abc123",
    "total_messages": 2,
    "successful_messages": 2,
    "failed_messages": 0,
    "success_rate": 1.0,
    "completion_time": "2024-12-05T10:30:00Z",
    "results": [
        {
            "success": True,
            "converted_data": {"response": "Hello! How can I help?"},
            "errors": [],
            "warnings": [],
        },
        {
            "success": True,
            "converted_data": {"response": "Hi! What can I do for you?"},
            "errors": [],
            "warnings": [],
        },
    ],
}
STATUS = {
    "batch_id": "batch-abc123",
    "status": "completed",
    "total_messages": 2,
    "processed_messages": 2,
    "successful_messages": 2,
    "failed_messages": 0,
    "completion_time": "2024-12-05T10:30:00Z",
}
COUNTS = {"total_messages": 2, "successful_messages": 2, "failed_messages": 0}
COUNT = {
    "model": "anthropic/claude-sonnet-4",
    "messages": looking("Analyze this image:")["messages"],
    "system": "You are a helpful assistant.",
    "tools": [],
}
DETAILS = {
    "enhancement_phase": "phase_1_multi_modal",
    "feature": "image_content_conversion",
    "fallback_applied": True,
}
STATS = {
    "cache_enabled": True,
    "cache_backend": "memory",
    "total_requests": 1250,
    "cache_hits": 875,
    "cache_misses": 375,
    "hit_rate": 0.7,
    "cache_size": 450,
    "max_cache_size": 1000,
    "average_response_time": {"cached": "15ms", "uncached": "1200ms"},
    "performance_improvement": "99%",
}
CLEARED = {"status": "success", "message": "Cache cleared successfully", "cleared_entries": 450}
CLEANED = {
    "status": "success",
    "message": "Cache cleanup completed",
    "expired_entries_removed": 23,
    "remaining_entries": 427,
}


def _message(name: str, body: dict[str, Any], **more: Any) -> Example:
    call = "POST /v1/messages"
    return Example(name, "openrouter", call, MESSAGE, body, fixed=FIXED, **more)


def _native(body: dict[str, Any]) -> dict[str, Any]:
    """The same for the upstream that speaks Messages."""
    return body | {"model": "claude:claude-sonnet-4"}


_batched = Example(
    "batch", "openrouter", "POST /v1/messages/batch", BATCHED, BATCH,
    fixed=COUNTS | {"success_rate": 1.0, "results.1.success": True},
)  # fmt: skip
_asked = _message("a message twice", looking("Describe this image, twice:"))
_hit = _message("a message again", looking("Describe this image, twice:"), after=_asked)

ROWS = [
    _message("create message", CREATE),
    _message("create message, Messages upstream", _native(CREATE)),
    _message("tool use and tool result", RESULTS),
    _message("tool use and tool result, Messages upstream", _native(RESULTS)),
    _message("multi-modal content", looking("What's in this image?")),
    _message("multi-modal content, Messages upstream", _native(looking("What's in this image?"))),
    _message("curl: multi-modal request", looking("Describe this image:")),
    _message("model alias big", looking("Hi") | {"model": "big"}),
    _message("model alias small", looking("Hi") | {"model": "small"}),
    _batched,
    Example(
        "batch with elided messages", "openrouter", "POST /v1/messages/batch", BATCHED,
        {"model": "big", "messages": [
            {"messages": [{"role": "user", "content": "..."}], "max_tokens": most}
            for most in (100, 150)
        ]},
        fixed=COUNTS, differs="the sketch names no model; here one at the top is for all items",
    ),
    Example(
        "batch status", "openrouter", "GET /v1/messages/batch/{batch_id}/status", STATUS,
        fixed=COUNTS | {"status": "completed", "processed_messages": 2}, after=_batched,
    ),
    Example(
        "cache statistics", "openrouter", "GET /v1/messages/cache/stats", STATS,
        fixed={"cache_enabled": True, "cache_backend": "memory", "max_cache_size": 1000},
        after=_hit,
    ),
    Example(
        "clear cache", "openrouter", "DELETE /v1/messages/cache/clear", CLEARED,
        fixed={"status": "success", "message": "Cache cleared successfully"},
    ),
    Example(
        "cleanup expired entries", "openrouter", "POST /v1/messages/cache/cleanup", CLEANED,
        fixed={"status": "success", "message": "Cache cleanup completed"},
    ),
    Example(
        "count tokens", "openrouter", "POST /v1/messages/count_tokens",
        {"input_tokens": 1245, "output_tokens": 0}, COUNT, fixed={"output_tokens": 0},
    ),
    Example(
        "health", "openrouter", "GET /health",
        {"status": "healthy", "timestamp": "2024-12-05T12:00:00Z"}, fixed={"status": "healthy"},
    ),
    Example(
        "detailed health", "openrouter", "GET /health/detailed", EXAMPLES["/health/detailed"],
        fixed={
            "status": "healthy",
            "services.multi_modal": "enabled",
            "services.batch_processing": "enabled",
            "services.prompt_caching": "enabled",
            "configuration.multi_modal_enabled": True,
            "configuration.batch_processing_enabled": True,
            "configuration.prompt_caching_enabled": True,
            "configuration.model_mapping.big": "openrouter:anthropic/claude-sonnet-4",
            "configuration.model_mapping.small": "openrouter:anthropic/claude-3.7-sonnet",
        },
        after=replace(_batched, after=_hit),
        differs="instructor is not used, the rest is measured; models name providers",
    ),
    Example(
        "root", "openrouter", "GET /", EXAMPLES["/"], fixed={"status": "running"},
        lacks=frozenset({".config.max_tokens_limit", ".documentation"}),
        differs="the name is ours; null where the gateway has no such thing",
    ),
]  # fmt: skip
"""Requests that are answered."""
