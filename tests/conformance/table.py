"""What the table of items is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.sdk.answers import CHAT_USAGE, MESSAGES_USAGE, chat, chat_stream, message, message_stream

Json = dict[str, Any]
Dialect = Literal["chat", "messages"]
Provider = Literal["anthropic", "openai", "openrouter"]

SPEAKS: dict[Provider, Dialect] = {
    "anthropic": "messages", "openai": "chat", "openrouter": "chat",
}  # fmt: skip
USUAL: dict[Provider, str] = {
    "anthropic": "claude-sonnet-4-5",
    "openai": "gpt-4o",
    "openrouter": "anthropic/claude-sonnet-4",
}
"""The model of each provider where an item needs no other."""
ASKED = [{"role": "user", "content": "hi"}]
PLAIN: dict[Dialect, Json] = {
    "chat": {"messages": ASKED},
    "messages": {"messages": ASKED, "max_tokens": 64},
}
"""What every request has beside its item."""
TOLD: dict[Dialect, Json] = {
    "chat": {"content": "Hello", "finish_reason": "stop", "usage": CHAT_USAGE},
    "messages": {
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": MESSAGES_USAGE,
    },
}  # fmt: skip
"""What a client reads where an item needs no other answer."""


@dataclass(frozen=True)
class UpstreamAnswer:
    """An upstream's answer, whole and as the events of a stream."""

    whole: Json
    frames: Sequence[bytes]


HELLO: dict[Dialect, UpstreamAnswer] = {
    "chat": UpstreamAnswer(chat("Hello"), chat_stream({"content": "Hel"}, {"content": "lo"})),
    "messages": UpstreamAnswer(
        message({"type": "text", "text": "Hello"}),
        message_stream({"type": "text", "text": "Hello"}),
    ),
}


@dataclass(frozen=True)
class Way:
    """One way of an item: from a client to a provider and back."""

    to: Provider
    sends: Json = field(default_factory=dict)
    """Members of the client's request."""
    reaches: Json | None = None
    """Members of the upstream's request beside the plain ones; None: the client's own bytes."""
    adds: Json = field(default_factory=dict)
    """Members that the gateway adds to the client's own."""
    warns: tuple[str, ...] = ()
    """`x-gateway-warnings`, all of them."""
    refused: str = ""
    """The message of the 400 that it ends in."""
    model: str = ""
    says: UpstreamAnswer | None = None
    """The upstream's answer where the usual one does not show the item."""
    told: Json = field(default_factory=dict)
    """What the client reads of it, where that is not the usual; `...` for what is not fixed."""
    streams: Literal["both", "only", "never"] = "both"
    client: Dialect | None = None
    """Who asks, where that is not the usual client of the family."""

    @property
    def id(self) -> str:
        """The model as the upstream knows it."""
        return self.model or USUAL[self.to]

    @property
    def said(self) -> UpstreamAnswer:
        """The upstream's answer."""
        return self.says or HELLO[SPEAKS[self.to]]

    def reached(self, *, streamed: bool) -> Json:
        """Members of the upstream's request beside the plain ones, on a way that crosses."""
        members = dict(self.reaches or {})
        if streamed:
            members["stream"] = True
            if SPEAKS[self.to] == "chat":
                unpadded = {"include_obfuscation": False} if self.to == "openai" else {}
                members["stream_options"] = {"include_usage": True} | unpadded
        return members

    def plain(self, client: Dialect) -> Json:
        """The upstream's request as it is without the item."""
        if SPEAKS[self.to] == client:
            return PLAIN[client]
        if self.to == "anthropic":
            return {"messages": ASKED, "max_tokens": 32000}
        limit = "max_completion_tokens" if self.to == "openai" else "max_tokens"
        return {"messages": ASKED, limit: 64}


@dataclass(frozen=True)
class Item:
    """One line of the checklist."""

    name: str
    ways: tuple[Way, ...]
    phase: str = ""
    """The group of features that it is also counted in."""
    words: str = ""
    """What the page says of an item that no member of a request is."""


@dataclass(frozen=True)
class Family:
    """One API's items and the dialect its clients speak."""

    name: Literal["anthropic", "openai", "openrouter"]
    title: str
    client: Dialect
    items: tuple[Item, ...]


COUNTED: Json = {"stream_options": {"include_usage": True}}
"""What a Chat server is asked for where its client does not ask: the gateway counts."""


def same(to: Provider, sends: Json, **more: Any) -> Way:
    """A way within one dialect: the client's bytes there, the upstream's bytes back."""
    return Way(to, sends, **more)


def over(to: Provider, sends: Json, reaches: Json | None = None, **more: Any) -> Way:
    """A way into the other dialect."""
    return Way(to, sends, {} if reaches is None else reaches, **more)


def lost(to: Provider, sends: Json, *warns: str, **more: Any) -> Way:
    """A way on which the item cannot be had, and the client is told."""
    return Way(to, sends, {}, warns=warns, **more)


def refused(to: Provider, sends: Json, message: str) -> Way:
    """A way that ends in a 400, for the answer would be another without the item."""
    return Way(to, sends, {}, refused=message)
