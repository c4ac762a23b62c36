"""The errors of both references: the examples, the statuses, and the table of types."""

import re
from collections.abc import Mapping
from typing import Any

from tests.seeds.examples import SHOWN, Example
from tests.seeds.house import System
from tests.seeds.vandamme import CHAT, HELLO, MESSAGES_CURL

ERROR: dict[str, Any] = {"type": "error", "error": {"type": "error_type", "message": "words"}}
DETAILED: dict[str, Any] = {
    "type": "error",
    "error": {
        "type": "error_type",
        "message": "Human readable error message",
        "details": {
            "enhancement_phase": "phase_1_multi_modal",
            "feature": "image_content_conversion",
            "fallback_applied": True,
        },
    },
}
CHAT_ERROR = {"error": {"message": "words", "type": "error_type", "param": None, "code": None}}
INVALID = "Invalid API key. Please provide a valid Anthropic API key."
PASSTHRU = "Provider 'openai' requires API key passthrough, but no client API key was provided"
TIMEOUT = re.compile(re.escape("Upstream request timed out. Consider increasing REQUEST_TIMEOUT."))
WORDS_AFTER = "the words after the reference's say which timeout it was"
OWN_KIND = "authentication_error where the reference says api_error: so the SDKs know it"


def _error(name: str, system: System, status: int, kind: object, **more: Any) -> Example:
    """A failed call of the Messages API."""
    body = more.pop("body") if "body" in more else MESSAGES_CURL | {"model": more.pop("model")}
    headers: Mapping[str, str] = more.pop("headers", SHOWN)
    fixed = {"type": "error", "error.type": kind} | more.pop("fixed", {})
    return Example(
        name, system, more.pop("call", "POST /v1/messages"), more.pop("shows", ERROR), body,
        headers, status=status, fixed=fixed, **more,
    )  # fmt: skip


def _chat_error(name: str, system: System, status: int, kind: str, **more: Any) -> Example:
    """A failed call of the Chat API."""
    body = CHAT | {"model": more.pop("model", "gpt-4o-mini")}
    fixed = {"error.type": kind} | more.pop("fixed", {})
    return Example(
        name, system, "POST /v1/chat/completions", CHAT_ERROR, body, more.pop("headers", SHOWN),
        status=status, fixed=fixed, **more,
    )  # fmt: skip


EXAMPLES = [
    _error(
        "invalid API key", "vandamme", 401, "authentication_error", body=MESSAGES_CURL,
        headers={"x-api-key": "wrong"}, fixed={"error.message": INVALID}, differs=OWN_KIND,
    ),
    _error(
        "invalid API key, Authorization", "vandamme", 401, "authentication_error",
        body=MESSAGES_CURL, headers={"authorization": "Bearer wrong"},
        fixed={"error.message": INVALID}, differs=OWN_KIND,
    ),
    _error(
        "no API key", "vandamme", 401, "authentication_error", body=MESSAGES_CURL, headers={},
        fixed={"error.message": INVALID}, differs=OWN_KIND,
    ),
    _chat_error(
        "invalid API key, Chat", "vandamme", 401, "authentication_error",
        headers={"x-api-key": "wrong"}, fixed={"error.message": INVALID},
        differs="errors have the form of the caller's API",
    ),
    Example(
        "test-connection without the key", "vandamme", "GET /test-connection", ERROR, status=401,
        fixed={"error.message": INVALID}, differs="asks for the key, for it costs a completion",
    ),
    _error(
        "provider requires passthrough", "passthru", 401, "authentication_error",
        body=MESSAGES_CURL, headers={}, fixed={"error.message": PASSTHRU}, differs=OWN_KIND,
    ),
    _chat_error(
        "provider requires passthrough, Chat", "passthru", 401, "authentication_error",
        headers={}, fixed={"error.message": PASSTHRU},
        differs="errors have the form of the caller's API",
    ),
    _error(
        "timeout", "vandamme", 504, "upstream_timeout", model="slow:m",
        fixed={"error.message": TIMEOUT}, differs=WORDS_AFTER,
    ),
    _chat_error(
        "timeout, Chat", "vandamme", 504, "upstream_timeout", model="slow:m",
        fixed={"error.message": TIMEOUT}, differs=WORDS_AFTER,
    ),
]  # fmt: skip
STATUSES = [
    _error("400", "vandamme", 400, "invalid_request_error", body={"model": "gpt-4o-mini"}),
    Example(
        "400, Chat", "vandamme", "POST /v1/chat/completions", CHAT_ERROR | {"error": {
            "message": "words", "type": "error_type", "param": "model", "code": None,
        }},
        {"messages": HELLO}, SHOWN, status=400,
        fixed={"error.type": "invalid_request_error", "error.param": "model"},
    ),
    _error("404, provider", "vandamme", 404, "not_found_error", model="nobody:m"),
    _error("404, model", "vandamme", 404, "not_found_error", model="404"),
    _error(
        "404, route", "vandamme", 404, "not_found_error", body={"a": 1}, call="POST /v1/nothing"
    ),
    _error(
        "404, batch", "openrouter", 404, "not_found_error", body={"a": 1},
        call="GET /v1/messages/batch/batch-abc123/status",
    ),
    _error("429", "vandamme", 429, "rate_limit_error", model="429"),
    _error("500", "vandamme", 500, "api_error", model="500"),
    _error("503", "vandamme", 503, re.compile("api_error|overloaded_error"), model="503"),
    _error(
        "unreachable upstream", "vandamme", 502, "api_error", model="gone:m",
        differs="502 where the reference says 503: nothing answered",
    ),
]  # fmt: skip
"""The statuses that no example shows."""


def _picture(name: str, url: str) -> Example:
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "claude:m", "messages": [{"role": "user", "content": parts}]}
    return Example(
        name, "openrouter", "POST /v1/chat/completions", CHAT_ERROR, body, status=400,
        fixed={
            "error.type": "invalid_request_error", "error.code": "multi_modal_error",
            "error.message": re.compile("messages"),
        },
        differs="in Chat form the type is the SDK's, and the code says which",
    )  # fmt: skip


ARCHIVE = MESSAGES_CURL | {
    "messages": [
        {
            "role": "user",
            "content": [
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/zip", "data": "AAAA"},
                }
            ],
        }
    ]
}
TYPES = [
    _error(
        "invalid_request_error", "openrouter", 400, "invalid_request_error", body={"model": "m"}
    ),
    _error(
        "batch_processing_error", "openrouter", 400, "batch_processing_error",
        body={"messages": []}, call="POST /v1/messages/batch", shows=DETAILED,
        fixed={"error.details": {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "batch_processing",
            "fallback_applied": False,
        }},
    ),
    _error(
        "cache_error", "passthru", 500, "cache_error", body=None, shows=DETAILED,
        call="DELETE /v1/messages/cache/clear",
        fixed={"error.details": {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "prompt_caching",
            "fallback_applied": False,
        }},
    ),
    _picture(
        "multi_modal_error, no image", "data:text/plain;base64,AAAA",
    ),
    _picture(
        "multi_modal_error, an image nobody takes", "data:image/tiff;base64,AAAA",
    ),
    _error(
        "multi_modal_error, a document nobody takes", "openrouter", 400, "multi_modal_error",
        body=ARCHIVE, shows=DETAILED,
    ),
    _error(
        "permission_error", "passthru", 403, "permission_error", model="403",
        differs="only where the client's own key is forwarded: another's failing is a 502",
    ),
    _error(
        "403 of the operator's key", "openrouter", 502, "api_error", model="403",
        differs="the client can do nothing about it",
    ),
    _error("rate_limit_error", "openrouter", 429, "rate_limit_error", model="429"),
    _error("api_error", "openrouter", 500, "api_error", model="500"),
]  # fmt: skip
"""The table of types; authentication_error is among the examples."""
ROWS = [*EXAMPLES, *STATUSES, *TYPES]
