"""Text that the gateway adds to prompts, and text that it takes out."""

from msgspec import Raw

from gateway.dialects.common.instructions import (
    has_several_users,
    render_schema_instruction,
    without_billing_header,
)
from gateway.neutral.events import Text, Turn


def test_a_schema_is_quoted_as_it_is_spelled() -> None:
    asked = render_schema_instruction(Raw(b'{"type": "object"}'))
    assert asked.endswith(' It must meet this JSON Schema:\n{"type": "object"}')


def test_only_a_leading_billing_header_is_left_out() -> None:
    header, rule = Text("x-anthropic-billing-header: cch=1"), Text("Be brief.")
    assert without_billing_header([header, rule]) == [rule]
    assert without_billing_header([rule, header]) == [rule, header]
    assert without_billing_header([]) == []


def test_users_are_told_apart_by_the_names_of_their_turns() -> None:
    ann, ben = Turn("user", [], "Ann"), Turn("user", [], "Ben")
    assert has_several_users([ann, ben])
    assert not has_several_users([ann, ann, Turn("user", [])])
    assert not has_several_users([ann, Turn("assistant", [], "Ben")])
