"""What a reader sees of the tools that a Messages upstream runs itself."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages.server_tools import is_server_block, render_server_block
from gateway.neutral.events import ServerTool
from tests.dialects.messages.wires import parts_of

TEXT = {"type": "text", "text": "t"}


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            "[web_search: q]",
        ),
        (
            {"type": "server_tool_use", "id": "s", "name": "tool", "input": {"a": 1}},
            '[tool: {"a":1}]',
        ),
        ({"type": "server_tool_use", "id": "s", "name": "tool", "input": {}}, "[tool]"),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [
                    {
                        "type": "web_search_result",
                        "title": "T",
                        "url": "https://x",
                        "encrypted_content": "E",
                    },
                    {"type": "web_search_result", "title": "U", "url": "https://y"},
                ],
            },
            "- T (https://x)\n- U (https://y)",
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
            },
            "[error: unavailable]",
        ),
        (
            {
                "type": "bash_code_execution_tool_result",
                "tool_use_id": "s",
                "content": {
                    "type": "bash_code_execution_result",
                    "stdout": "out\n",
                    "stderr": "err",
                    "return_code": 0,
                },
            },
            "```\nout\nerr\n```",
        ),
        (
            {"type": "mcp_tool_use", "id": "s", "server_name": "S", "name": "n", "input": {"a": 1}},
            '[mcp S.n({"a":1})]',
        ),
        ({"type": "mcp_tool_result", "tool_use_id": "s", "content": [TEXT]}, "t"),
        ({"type": "mcp_tool_result", "tool_use_id": "s", "content": "plain"}, "plain"),
        (
            {
                "type": "web_fetch_tool_result",
                "tool_use_id": "s",
                "content": {
                    "type": "web_fetch_result",
                    "url": "https://x",
                    "content": {"type": "document", "title": "D"},
                },
            },
            "- D (https://x)",
        ),
    ],
)
def test_server_tools_are_what_a_reader_may_see(block: dict[str, Any], text: str) -> None:
    (part,) = parts_of([block], "assistant")
    assert isinstance(part, ServerTool)
    assert (part.text, part.type) == (text, block["type"])


def test_an_odd_block_says_nothing() -> None:
    assert render_server_block("server_tool_use", Raw(b"3")) == ""
    assert render_server_block("mcp_tool_result", Raw(b'{"content":[3,{"a":1}]}')) == ""


def test_a_tool_search_lists_its_tools() -> None:
    raw = Raw(b'{"content":{"tool_references":[{"tool_name":"f"},{"tool_name":"g"}]}}')
    words = "Tool now available: f\nTool now available: g"
    assert render_server_block("tool_search_tool_result", raw) == words


def test_client_tools_are_no_server_blocks() -> None:
    assert not is_server_block("tool_use")
    assert not is_server_block("tool_result")
    assert is_server_block("server_tool_use")
    assert is_server_block("mcp_tool_result")
