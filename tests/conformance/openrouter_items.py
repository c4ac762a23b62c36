"""OpenRouter's Chat API, item by item: from Chat clients, and from Messages clients."""

from typing import Any

from tests.conformance.anthropic_items import (
    CALLS,
    FUNCTION,
    MULTI_MODAL,
    PICTURE,
    TALK,
    TOLD_USE,
    WEATHER,
    image,
)
from tests.conformance.openai_items import CLOSED, SHAPE, SURE
from tests.conformance.table import COUNTED, Family, Item, Json, Way, lost, over, same
from tests.sdk.answers import PNG, text

EXTENSION = "phase_2_openrouter_extensions"


def both(sends: Json, asks: Json, reaches: Json | None = None, **more: Any) -> tuple[Way, ...]:
    """From a Chat client as it is, from a Messages client converted."""
    wanted = sends if reaches is None else reaches
    return (
        same("openrouter", sends, says=more.get("says"), model=more.get("model", "")),
        over("openrouter", asks, wanted, client="messages", **more),
    )


def own(name: str, value: object, **more: Any) -> tuple[Way, ...]:
    """A member that Messages has no word for: it passes as it is."""
    return (
        same("openrouter", {name: value}, **more),
        over("openrouter", {name: value}, {name: value}, client="messages"),
    )


def extension(name: str, value: object) -> tuple[Way, ...]:
    """A member of OpenRouter's own: no Messages upstream takes it either."""
    return (*own(name, value), lost("anthropic", {name: value}, f"{name}:unknown"))


def chosen(sends: object, asks: Json) -> tuple[Way, ...]:
    """A tool choice, answered with a call."""
    return both(
        {"tools": [FUNCTION], "tool_choice": sends},
        {"tools": [WEATHER], "tool_choice": asks},
        says=CALLS,
        told=TOLD_USE,
    )


SYSTEM: Json = {"role": "system", "content": "Be brief."}
SEEN: Json = {
    "messages": [
        {
            "role": "user",
            "content": [text("See"), {"type": "image_url", "image_url": {"url": PICTURE}}],
        }
    ]
}
PICTURED: Json = {
    "messages": [
        {
            "role": "user",
            "content": [
                text("See"),
                image({"type": "base64", "media_type": "image/png", "data": PNG}),
            ],
        }
    ]
}
SHAPED: Json = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": CLOSED, "strict": True},
    }
}
ITEMS = (
    Item(
        "messages",
        both({"messages": [SYSTEM, *TALK]}, {"system": "Be brief.", "messages": TALK}),
    ),
    Item("model", both({}, {})),
    Item("models", extension("models", ["a/b", "c/d"]), EXTENSION),
    Item("route", extension("route", "fallback"), EXTENSION),
    Item("provider", extension("provider", {"order": ["Anthropic"]}), EXTENSION),
    Item("transforms", extension("transforms", ["middle-out"]), EXTENSION),
    Item("max_tokens", both({"max_tokens": 77}, {"max_tokens": 77})),
    Item("temperature", both({"temperature": 0.5}, {"temperature": 0.5})),
    Item("top_p", both({"top_p": 0.9}, {"top_p": 0.9})),
    Item("top_k", both({"top_k": 40}, {"top_k": 40}), EXTENSION),
    Item("frequency_penalty", own("frequency_penalty", 0.5)),
    Item("presence_penalty", own("presence_penalty", 0.5)),
    Item("repetition_penalty", extension("repetition_penalty", 1.1), EXTENSION),
    Item("stop", both({"stop": ["END"]}, {"stop_sequences": ["END"]})),
    Item(
        "stream",
        (
            same("openrouter", {"stream": True}, streams="only", adds=COUNTED),
            over("openrouter", {"stream": True}, streams="only", client="messages"),
        ),
    ),
    Item("tools", both({"tools": [FUNCTION]}, {"tools": [WEATHER]})),
    Item(
        "tool_choice",
        (
            *chosen("auto", {"type": "auto"}),
            *chosen("required", {"type": "any"}),
            *chosen(
                {"type": "function", "function": {"name": "get_weather"}},
                {"type": "tool", "name": "get_weather"},
            ),
        ),
    ),
    Item(
        "response_format",
        both(
            {"response_format": SHAPE},
            {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
            SHAPED,
            model="anthropic/claude-sonnet-4.5",
        ),
    ),
    Item("seed", own("seed", 7)),
    Item("logit_bias", own("logit_bias", {"50256": -100})),
    Item(
        "top_logprobs",
        (
            same("openrouter", {"logprobs": True, "top_logprobs": 2}, says=SURE),
            lost(
                "openrouter", {"logprobs": True, "top_logprobs": 2},
                "logprobs:unknown", "top_logprobs:unknown", client="messages",
            ),
        ),
    ),
    Item("min_p", extension("min_p", 0.1), EXTENSION),
    Item("top_a", extension("top_a", 0.2), EXTENSION),
    Item("user", both({"user": "u1"}, {"metadata": {"user_id": "u1"}})),
    Item(
        "image content",
        (
            *both(SEEN, PICTURED),
            over(
                "openrouter",
                {"messages": [{"role": "user", "content": [
                    image({"type": "url", "url": "https://x.test/a.png"})]}]},
                {"messages": [{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}]},
                client="messages",
            ),
        ),
        MULTI_MODAL,
    ),
)  # fmt: skip
OPENROUTER = Family("openrouter", "OpenRouter", "chat", ITEMS)
