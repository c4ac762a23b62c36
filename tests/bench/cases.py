"""What is measured, and how a right reply is told from a wrong one."""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from tests.bench import script
from tests.bench.script import Dialect

Form = Literal["json", "burst", "split", "paced", "slow"]
"""A whole answer; a stream whose events come ten at a time, or alone: at once, at 20/s, at 2/s."""
Server = Literal["direct", "nginx", "gateway", "cached", "litellm", "portkey", "vandamme"]
"""`cached` is the gateway with its prompt cache."""

PREFIXES: dict[Form, str] = {
    "json": "",
    "burst": "/e10p1",
    "split": "/e1p2",
    "paced": "/e1p50s",
    "slow": "/e1p500",
}
# Under a simulator that is fifty times slower, pieces would run together without a longer pause.
SLOW_PREFIXES: dict[Form, str] = {
    "json": "",
    "burst": "/e10p40",
    "split": "/e1p25",
    "paced": "/e1p50s",
    "slow": "/e1p500",
}


class Case(Struct, frozen=True, kw_only=True):
    """One kind of request over one server."""

    name: str
    title: str
    server: Server = "gateway"
    client: Dialect = "chat"
    upstream: Dialect = "chat"
    form: Form = "json"
    agent: bool = False
    tls: bool = False
    """The upstream is spoken to over TLS."""
    asked: str = ""
    """The model that the client asks a peer for."""
    key: str = ""
    """The key that it shows the peer."""
    ours_beside: str = ""
    """Name of our case that does the same as the peer's."""
    instructions: int | None = None
    """The budget: user-space instructions of one request."""
    cpu: str = ""
    """The budget: CPU time of one request, in words."""

    @property
    def connections(self) -> int:
        """Requests in flight."""
        return 4 if self.agent else 32 if self.form == "json" else 16

    @property
    def model(self) -> str:
        """The model that the client asks for: an alias where there is something to resolve it."""
        if not self.ours:
            return self.asked or script.MODEL
        return alias(self.upstream, self.form, tls=self.tls)

    @property
    def ours(self) -> bool:
        """Whether the gateway answers."""
        return self.server in ("gateway", "cached")

    @property
    def reference(self) -> str:
        """The case of nginx that does the same work."""
        return reference(self.form, agent=self.agent)

    def request(self, prefixes: dict[Form, str], headers: Sequence[str] = ()) -> bytes:
        """The bytes of one request, head and body, with headers that its server needs."""
        stream = self.form != "json"
        body = script.question(self.client, self.model, stream=stream, agent=self.agent)
        path = script.PATHS[self.client]
        if not self.ours and not self.ours_beside:
            path = prefixes[self.form] + path
        key = self.key or (script.KEY if self.ours else script.UPSTREAM_KEY)
        lines = [
            f"POST {path} HTTP/1.1",
            "host: 127.0.0.1",
            "user-agent: bench/1.0",
            "accept: application/json",
            # Peers would spend their time on compressing.
            *([] if self.ours_beside else ["accept-encoding: gzip, deflate"]),
            "content-type: application/json",
            f"authorization: Bearer {key}" if self.client == "chat" else f"x-api-key: {key}",
            *(["anthropic-version: 2023-06-01"] if self.client == "messages" else []),
            *headers,
            f"content-length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def alias(upstream: Dialect, form: Form, *, tls: bool = False) -> str:
    """What clients call the upstream of that dialect and form."""
    return f"bench-{upstream}-{form}" + ("-tls" if tls else "")


def reference(form: Form, *, agent: bool = False) -> str:
    """Name of the nginx case for that form."""
    return "nginx-agent" if agent else f"nginx-{form}"


CASES = (
    Case(name="nginx-json", title="nginx, JSON 1 KB", server="nginx"),
    Case(name="nginx-agent", title="nginx, 270 KB request", server="nginx", client="messages",
         upstream="messages", agent=True),
    Case(name="nginx-burst", title="nginx, stream of 200", server="nginx", form="burst"),
    Case(name="nginx-split", title="nginx, stream of 200, own packets", server="nginx",
         form="split"),
    Case(name="chat", title="Chat to Chat, 1 KB", instructions=400_000, cpu="5x nginx"),
    Case(name="messages", title="Messages to Messages, 1 KB", client="messages",
         upstream="messages", instructions=400_000, cpu="5x nginx"),
    Case(name="messages-chat", title="Messages to Chat, 1 KB", client="messages",
         instructions=600_000),
    Case(name="chat-messages", title="Chat to Messages, 1 KB", upstream="messages",
         instructions=600_000),
    Case(name="stream", title="stream of 200, Chat to Chat", form="burst",
         instructions=1_500_000),
    Case(name="stream-split", title="stream of 200, own packets, Chat to Chat", form="split"),
    Case(name="stream-messages-chat", title="stream of 200, Messages to Chat", client="messages",
         form="burst", instructions=4_000_000),
    Case(name="stream-messages-chat-split", title="stream of 200, own packets, Messages to Chat",
         client="messages", form="split"),
    Case(name="stream-chat-messages", title="stream of 200, Chat to Messages",
         upstream="messages", form="burst", instructions=4_000_000),
    Case(name="cached", title="cached hit, Chat, 1 KB", server="cached", instructions=280_000),
    Case(name="cached-messages-chat", title="cached hit, Messages to Chat, 1 KB", server="cached",
         client="messages"),
    Case(name="cached-stream", title="cached hit, stream of 200, Chat", server="cached",
         form="burst"),
    Case(name="tls", title="Chat to Chat, 1 KB, TLS upstream", tls=True),
    Case(name="tls-stream", title="stream of 200, Chat to Chat, TLS upstream", form="burst",
         tls=True),
    Case(name="tls-stream-split", title="stream of 200, own packets, Chat to Chat, TLS upstream",
         form="split", tls=True),
    Case(name="agent", title="270 KB, Messages to Messages", client="messages",
         upstream="messages", agent=True, cpu="500 us"),
    Case(name="agent-chat", title="270 KB, Messages to Chat", client="messages", agent=True,
         cpu="2000 us"),
)  # fmt: skip

LATENCY = tuple(
    Case(name=f"latency-{server}", title=f"latency, {server}", server=server)
    for server in ("direct", "nginx", "gateway")
)
PACED = (
    Case(name="paced-direct", title="no server between, paced", server="direct", form="paced"),
    Case(name="paced-nginx", title="nginx, paced", server="nginx", form="paced"),
    Case(name="paced", title="paced, Chat to Chat", form="paced"),
    Case(name="paced-messages-chat", title="paced, Messages to Chat", client="messages",
         form="paced"),
)  # fmt: skip
SLOWLY = Case(name="slowly", title="open streams", form="slow")
NAMED = {case.name: case for case in (*CASES, *LATENCY, *PACED, SLOWLY)}


# --- right or wrong -------------------------------------------------------------------------------


class _ChatText(Struct):
    content: str | None = None


class _ChatChoice(Struct):
    message: _ChatText | None = None
    delta: _ChatText | None = None


class _Chat(Struct):
    object: str
    choices: list[_ChatChoice]


class _Block(Struct):
    text: str = ""


class _Messages(Struct):
    type: str
    content: list[_Block] = []
    delta: _Block | None = None


_chat = msgspec.json.Decoder(_Chat)
_messages = msgspec.json.Decoder(_Messages)
_DONE = b"data: [DONE]"
_STOP = b"event: message_stop\ndata: "
# What no reply in the dialect has, but the upstream's in the other has.
_FOREIGN: dict[Dialect, tuple[bytes, ...]] = {
    "chat": (b'"type":"message', b"event: ", b'"stop_reason"', b'"content_block"'),
    "messages": (b'"choices"', b"[DONE]", b'"finish_reason"', b"chat.completion"),
}


def fault(case: Case, status: int, body: bytes) -> str:
    """What is wrong with a reply; empty where nothing is."""
    if status != 200:
        return f"status {status}: {body[:200]!r}"
    for mark in _FOREIGN[case.client]:
        if mark in body:
            return f"not converted: it has {mark!r}"
    whole = case.form == "json"
    if _same_bytes(case) and len(body) != _size(case):
        return f"{len(body)} bytes instead of {_size(case)}"
    wanted = script.whole_text() if whole else script.stream_text(case.upstream)
    try:
        text = _whole_text(case, body) if whole else _stream_text(case, body)
    except (msgspec.DecodeError, IndexError, ValueError) as wrong:
        return f"unreadable: {wrong}"
    return "" if text == wanted else f"another text: {text[:80]!r}"


def _same_bytes(case: Case) -> bool:
    """Whether the reply is the upstream's, byte for byte; a cached one or a peer's is not."""
    same = case.client == case.upstream
    return same and case.server != "cached" and not case.ours_beside


def _size(case: Case) -> int:
    if case.form == "json":
        return len(script.answer(case.upstream))
    return sum(len(event) for event in script.events(case.upstream))


def _whole_text(case: Case, body: bytes) -> str:
    if case.client == "chat":
        message = _chat.decode(body).choices[0].message
        return message.content or "" if message else ""
    return "".join(block.text for block in _messages.decode(body).content)


def _stream_text(case: Case, body: bytes) -> str:
    chat = case.client == "chat"
    if chat and case.ours_beside:  # one of them ends its events with a single line's end
        body = re.sub(rb"\n+", b"\n\n", body)
    frames = body.split(b"\n\n")
    if frames[-1] or not (frames[-2].endswith(_DONE) if chat else _stops(frames[-2])):
        raise ValueError(f"it ends with {body[-80:]!r}")
    texts = [_chat_delta(frame) if chat else _messages_delta(frame) for frame in frames[:-2]]
    return "".join(texts)


def _stops(frame: bytes) -> bool:
    """Whether a Messages stream ends with it, however its JSON is spaced."""
    data = frame.removeprefix(_STOP)
    return data != frame and _messages.decode(data).type == "message_stop"


def _chat_delta(frame: bytes) -> str:
    if not frame.startswith(b"data: "):
        return ""
    choices = _chat.decode(frame[6:]).choices
    delta = choices[0].delta if choices else None
    return delta.content or "" if delta else ""


def _messages_delta(frame: bytes) -> str:
    delta = _messages.decode(frame[frame.index(b"\ndata: ") + 7 :]).delta
    return delta.text if delta else ""
