"""The examples of the API references for these endpoints, sent as they are written."""

from pathlib import Path
from typing import Any

import pytest

from tests.admin.house import CHAT, SHOWN, before, lacking

EXAMPLES: dict[str, dict[str, Any]] = {
    "/v1/models?format=openai&provider=openai": {
        "data": [
            {"id": "gpt-4o-mini", "object": "model", "created": 1677610600, "owned_by": "openai"}
        ],
        "object": "list",
    },
    "/v1/aliases": {
        "object": "list",
        "aliases": {
            "poe": {"haiku": "gpt-4o-mini", "sonnet": "gpt-4o"},
            "openai": {"fast": "gpt-4o-mini"},
        },
        "suggested": {"default": {"coding": "claude-3-5-sonnet-20241022"}},
        "total": 3,
    },
    "/health": {
        "status": "healthy",
        "timestamp": "2024-01-15T10:00:00",
        "api_key_valid": True,
        "client_api_key_validation": True,
        "default_provider": "openai",
        "providers": {
            "openai": {
                "api_format": "openai",
                "base_url": "https://api.openai.com",
                "api_key_hash": "sha256:abc123",
            }
        },
    },
    "/test-connection": {
        "status": "success",
        "message": "Successfully connected to openai API",
        "provider": "openai",
        "model_used": "gpt-4o-mini",
        "timestamp": "2024-01-15T10:00:00",
        "response_id": "cmpl-123",
    },
    "/top-models?limit=5": {
        "object": "top_models",
        "source": "manual",
        "last_updated": "2024-01-15T10:00:00",
        "providers": ["openai", "anthropic"],
        "models": [
            {
                "name": "claude-3-5-sonnet-20241022",
                "provider": "anthropic",
                "sub_provider": "native",
                "ranking": 1,
                "category": "coding",
            }
        ],
        "suggested_aliases": {"coding": "claude-3-5-sonnet-20241022"},
    },
    "/": {
        "message": "interlingua v1.0.0",
        "config": {
            "base_url": "http://localhost:8082",
            "max_tokens_limit": 4096,
            "api_key_configured": True,
            "client_api_key_validation": True,
        },
        "endpoints": {
            "messages": "/v1/messages",
            "count_tokens": "/v1/messages/count_tokens",
            "running_totals": "/metrics/running-totals",
            "models": "/v1/models",
            "aliases": "/v1/aliases",
            "top_models": "/top-models",
            "health": "/health",
            "test_connection": "/test-connection",
        },
        "name": "interlingua",
        "version": "2.0.0",
        "status": "running",
        "api_compatibility": "85%",
        "enhancement_status": "all_phases_complete",
        "documentation": "/docs",
    },
    "/health/detailed": {
        "status": "healthy",
        "timestamp": "2024-12-05T12:00:00Z",
        "version": "2.0.0",
        "environment": "production",
        "services": {
            "openrouter_api": "healthy",
            "instructor": "healthy",
            "validation": "healthy",
            "multi_modal": "enabled",
            "batch_processing": "enabled",
            "prompt_caching": "enabled",
        },
        "configuration": {
            "instructor_enabled": True,
            "debug_enabled": False,
            "multi_modal_enabled": True,
            "batch_processing_enabled": True,
            "prompt_caching_enabled": True,
            "model_mapping": {"big": "a", "small": "b"},
        },
        "api_compatibility": {
            "anthropic": "100% (29/29)",
            "openai": "84% (24/28)",
            "openrouter": "65% (17/25)",
            "overall": "85% (70/82)",
        },
        "enhancement_phases": {
            "phase_1_multi_modal": "complete",
            "phase_2_openrouter_extensions": "complete",
            "phase_3_openai_advanced": "complete",
            "phase_4_anthropic_beta": "complete",
        },
        "performance_metrics": {
            "total_tests": 433,
            "test_success_rate": "100%",
            "batch_processing_improvement": "70%",
            "cache_performance_improvement": "99%",
        },
    },
}
WITHOUT_KEY = ("/", "/health")
UNLIMITED = {".config.max_tokens_limit"}
"""Null: the gateway sets no limit of its own there."""
UNBUILT = {".documentation", ".endpoints.count_tokens"}
"""Null as long as the gateway has not got what they name."""


@pytest.mark.parametrize("path", EXAMPLES)
async def test_every_member_of_an_example_is_in_the_answer(path: str, tmp_path: Path) -> None:
    async with before(tmp_path) as (house, _):
        if path == "/health/detailed":
            assert (await house.post(CHAT)).status == 200
        sent = await house.get(path, [] if path in WITHOUT_KEY else None)
    assert sent.status == 200
    assert set(lacking(EXAMPLES[path], sent.json())) <= UNLIMITED | UNBUILT


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path not in WITHOUT_KEY])
@pytest.mark.parametrize("key", [b"", b"wrong", b"gw-ke", b"gw-keys"])
async def test_without_the_right_key_it_is_401(path: str, key: bytes, tmp_path: Path) -> None:
    async with before(tmp_path) as (house, upstream):
        sent = await house.get(path, [(b"x-api-key", key)])
        assert not upstream.requests
    assert sent.status == 401
    assert sent.json()["error"]["type"] == "authentication_error"
    assert sent.json()["error"]["message"] == (
        "Invalid API key. Please provide a valid Anthropic API key."
    )


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/api/hello", "/health"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_signs_of_life_need_no_key(path: str, method: str, tmp_path: Path) -> None:
    async with before(tmp_path) as (house, upstream):
        sent = await house.get(path, [], method)
        assert not upstream.requests
    assert sent.status == 200
    assert bool(sent.body) == (method == "GET")
    assert sent.headers["x-request-id"] == sent.headers["request-id"]


async def test_bearer_is_a_key_too_and_unknown_parameters_are_ignored(tmp_path: Path) -> None:
    async with before(tmp_path) as (house, _):
        bearer = [(b"authorization", b"Bearer gw-key")]
        assert (await house.get("/v1/aliases?beta=true", bearer)).status == 200
        assert (await house.get("/v1/aliases", SHOWN)).json()["aliases"]["poe"] == {
            "haiku": "gpt-4o-mini",
            "sonnet": "gpt-4o",
        }
