"""Text that the gateway adds to a prompt, or takes out, where an upstream has no member for it."""

from msgspec import Raw

from gateway.neutral.events import Text, Turn

CONTINUE_PROMPT = "Continue exactly from where your last message stopped."
"""The user turn for a model that cannot continue a trailing assistant turn."""

JSON_INSTRUCTION = "Respond with one JSON object and nothing else."
"""Asks for JSON where the upstream has no JSON mode."""

_BILLING_HEADER = "x-anthropic-billing-header:"
"""Begins a system text that Claude Code adds and that differs in each request."""


def render_schema_instruction(schema: Raw) -> str:
    """Asks for JSON of that schema where the upstream takes no schema."""
    text = bytes(schema).decode("utf-8", "replace")
    return f"{JSON_INSTRUCTION} It must meet this JSON Schema:\n{text}"


def render_reminder(text: str) -> str:
    """A system turn as text of a user turn, for upstreams that take no system turn there."""
    return f"<system-reminder>\n{text}\n</system-reminder>"


def without_billing_header(system: list[Text]) -> list[Text]:
    """The system texts without Claude Code's billing header, which would defeat prompt caches."""
    if system and system[0].text.startswith(_BILLING_HEADER):
        return system[1:]
    return system


def has_several_users(turns: list[Turn]) -> bool:
    """Whether the user turns carry more than one name, so that each must show its own."""
    return len({turn.name for turn in turns if turn.role == "user" and turn.name}) > 1
