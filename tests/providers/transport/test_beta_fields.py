from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.wire.raw_json import split_object
from providers.transport.beta_fields import drop_beta_field


def cut(beta: str, body: dict[str, Any]) -> tuple[str | None, Any]:
    """The half that was taken out of a body, and the body without it."""
    fields = split_object(msgspec.json.encode(body))
    half = drop_beta_field(fields, beta)
    return half, msgspec.json.decode(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    ("beta", "half"),
    [
        ("mcp-client-2025-11-20", "mcp_servers"),
        ("mcp-client-2025-04-04", "mcp_servers"),
        ("skills-2025-10-02", "container"),
        ("context-management-2025-06-27", "context_management"),
        ("structured-outputs-2025-11-13", "output_format"),
        ("fast-mode-2026-02-01", "speed"),
    ],
)
def test_a_member_of_the_body_goes_with_its_beta(beta: str, half: str) -> None:
    assert cut(beta, {half: {"a": 1}, "max_tokens": 1}) == (half, {"max_tokens": 1})
    assert cut(beta, {"max_tokens": 1}) == (None, {"max_tokens": 1})


@pytest.mark.parametrize("beta", ["new-thing-2026-01-01", "undated", "", "-20"])
def test_other_betas_have_none(beta: str) -> None:
    assert cut(beta, {"new": 1}) == (None, {"new": 1})


SCOPED = {"type": "ephemeral", "scope": "global", "ttl": "1h"}
BARE = {"type": "ephemeral", "ttl": "1h"}
SCOPE = "prompt-caching-scope-2026-01-05"


def marked(mark: dict[str, str]) -> dict[str, Any]:
    """A body with marks wherever they may stand, and text that only speaks of them."""
    text = 'say {"cache_control":{"scope":"global"}} or "scope"'
    return {
        "system": [{"type": "text", "text": text, "cache_control": mark}],
        "tools": [
            {"name": "t", "cache_control": mark,
             "input_schema": {"properties": {"scope": {"type": "string"}}}},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": text},
                {"type": "tool_result", "tool_use_id": "1", "cache_control": mark,
                 "content": [{"type": "text", "text": text, "cache_control": mark}]},
            ]},
        ],
        "cache_control": mark, "max_tokens": 1,
    }  # fmt: skip


def test_the_scope_of_every_cache_mark_goes_and_nothing_else() -> None:
    assert cut(SCOPE, marked(SCOPED)) == ("cache_control.scope", marked(BARE))
    assert cut(SCOPE, marked(BARE)) == (None, marked(BARE))


def test_what_is_not_cut_keeps_its_bytes() -> None:
    raw = b'[{"content":[{"n":1.0,"e":1e3,"cache_control" : {"scope":"org","type":"ephemeral"}}]}]'
    fields = {"messages": Raw(raw)}
    assert drop_beta_field(fields, SCOPE) == "cache_control.scope"
    expected = b'[{"content":[{"n":1.0,"e":1e3,"cache_control":{"type":"ephemeral"}}]}]'
    assert bytes(fields["messages"]) == expected


def test_a_mark_that_nobody_knows_is_left_alone() -> None:
    odd = {"system": [{"cache_control": {"scope": "}", "type": "x"}}]}
    assert cut(SCOPE, odd)[1] == odd


@pytest.mark.parametrize(
    ("beta", "member"),
    [
        ("fine-grained-tool-streaming-2025-05-14", "eager_input_streaming"),
        ("tool-examples-2025-10-29", "input_examples"),
    ],
)
def test_a_member_of_the_tools_goes_with_its_beta(beta: str, member: str) -> None:
    plain = {"name": "a", "input_schema": {"properties": {member: {"type": "string"}}}}
    body = {"tools": [plain | {member: True}, plain]}
    assert cut(beta, body) == (f"tools.{member}", {"tools": [plain, plain]})
    assert cut(beta, {"tools": [plain]}) == (None, {"tools": [plain]})
    assert cut(beta, {}) == (None, {})
    assert cut(beta, {"tools": {member: 1}}) == (None, {"tools": {member: 1}})
