"""What upstreams of each dialect send when all is well, and how an answer of a gateway is read."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.dialects.chat.writer import PING as CHAT_PING
from gateway.dialects.messages.writer import PING as MESSAGES_PING
from gateway.wire.sse import Frame, Splitter
from tests.fakes import responses
from tests.fakes.client import RawClient

Dialect = Literal["chat", "messages", "responses", "gemini"]
BOTH: tuple[Dialect, Dialect] = ("chat", "messages")
ALL: tuple[Dialect, ...] = (*BOTH, "responses")
PATHS: dict[str, str] = {
    "chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses",
}  # fmt: skip
PINGS: dict[str, bytes] = {"chat": CHAT_PING, "messages": MESSAGES_PING}
WORDS = {"responses": "input"}
TEXT = "Grüße, 世界 🌍!"


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def request(dialect: Dialect, model: str, *, stream: bool, **more: object) -> bytes:
    """A client's request."""
    said = [{"role": "user", "content": "hi"}]
    body: dict[str, object] = {"model": model, WORDS.get(dialect, "messages"): said}
    if dialect == "messages":
        body["max_tokens"] = 64
    if stream:
        body["stream"] = True
    return encode(body | more)


def whole(dialect: Dialect, text: str = TEXT) -> bytes:
    """A whole answer that says the text."""
    if dialect == "chat":
        message = {"role": "assistant", "content": text}
        return encode({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        })  # fmt: skip
    if dialect == "responses":
        return encode(responses.make_response(responses.make_message(text)))
    if dialect == "gemini":
        return encode(piece(text, finish="STOP"))
    return encode({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 2},
    })  # fmt: skip


def piece(*texts: str, finish: str | None = None) -> dict[str, Any]:
    """A Gemini answer that says the texts, or a piece of one."""
    parts = [{"text": text} for text in texts]
    candidate: dict[str, object] = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "usageMetadata": {
            "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5,
        },
        "modelVersion": "m", "responseId": "r1",
    }  # fmt: skip


def event(dialect: Dialect, value: dict[str, Any]) -> bytes:
    """One event of a stream."""
    name = b"event: %b\n" % value["type"].encode() if dialect == "messages" else b""
    return name + b"data: " + encode(value) + b"\n\n"


def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    """One chunk of a Chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event("chat", {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice],
    })  # fmt: skip


def delta(dialect: Dialect, text: str) -> bytes:
    """An event that says some text."""
    if dialect == "chat":
        return chunk({"content": text})
    if dialect == "responses":
        told = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        return event(
            dialect,
            {"type": "response.output_text.delta", "sequence_number": 4, "delta": text} | told,
        )
    if dialect == "gemini":
        return event("gemini", piece(text))
    inner = {"type": "text_delta", "text": text}
    return event("messages", {"type": "content_block_delta", "index": 0, "delta": inner})


def opening(dialect: Dialect) -> list[bytes]:
    """The events before any text."""
    if dialect == "chat":
        return [chunk({"role": "assistant", "content": ""})]
    if dialect == "responses":
        made = responses.ResponsesScript().add_start()
        made.open_item(responses.make_message(""))
        return made.frames
    if dialect == "gemini":
        return []
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 0},
    }  # fmt: skip
    block = {"type": "text", "text": ""}
    return [
        event("messages", {"type": "message_start", "message": message}),
        event("messages", {"type": "content_block_start", "index": 0, "content_block": block}),
    ]


def closing(dialect: Dialect) -> list[bytes]:
    """The events after all text."""
    if dialect == "chat":
        return [chunk({}, "stop"), b"data: [DONE]\n\n"]
    if dialect == "responses":
        made = responses.ResponsesScript()
        made.output = [responses.make_message("")]
        return made.close_item(0).add_end().frames
    if dialect == "gemini":
        return [event("gemini", piece("", finish="STOP"))]
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {"output_tokens": 2}
    return [
        event("messages", {"type": "content_block_stop", "index": 0}),
        event("messages", {"type": "message_delta", "delta": ending, "usage": usage}),
        event("messages", {"type": "message_stop"}),
    ]


def stream(dialect: Dialect, *texts: str) -> list[bytes]:
    """The events of a whole stream that says the texts."""
    said = [delta(dialect, text) for text in texts or (TEXT,)]
    return [*opening(dialect), *said, *closing(dialect)]


def fault(dialect: Dialect, message: str = "slow down") -> bytes:
    """The body of a rate limit's error."""
    if dialect in ("chat", "responses"):
        inner = {
            "message": message, "type": "rate_limit_error", "param": None,
            "code": "rate_limit_exceeded",
        }  # fmt: skip
        return encode({"error": inner})
    if dialect == "gemini":
        said = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}
        return encode({"error": said})
    error = {"type": "rate_limit_error", "message": message}
    return encode({"type": "error", "error": error})


def fault_event(dialect: Dialect, message: str = "slow down") -> bytes:
    """The same as an event."""
    if dialect == "responses":
        told = {"message": message, "code": "rate_limit_exceeded", "param": None}
        return event(dialect, {"type": "error", "sequence_number": 9} | told)
    name = b"event: error\n" if dialect == "messages" else b""
    return name + b"data: " + fault(dialect, message) + b"\n\n"


@dataclass
class Answer:
    """What a client got."""

    dialect: Dialect
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    cut: bool = False
    """The connection ended before the body did."""

    @property
    def streamed(self) -> bool:
        return self.headers.get(b"content-type", b"").startswith(b"text/event-stream")

    @property
    def frames(self) -> list[Frame]:
        """The events."""
        splitter = Splitter()
        return [*splitter.feed(self.body), *splitter.finish()]

    @property
    def values(self) -> list[Any]:
        """The events' data that is JSON."""
        return [_json(frame.data) for frame in self.frames if frame.data != b"[DONE]"]

    @property
    def text(self) -> str:
        """What the answer says."""
        if self.streamed:
            return "".join(_said(value) for value in self.values)
        value = msgspec.json.decode(self.body)
        if self.dialect == "chat":
            return str(value["choices"][0]["message"]["content"])
        if self.dialect == "responses":
            said = [part for item in value["output"] for part in item["content"]]
            return "".join(part["text"] for part in said)
        return "".join(part["text"] for part in value["content"])

    @property
    def ended(self) -> bool:
        """Whether the stream's proper ending was sent."""
        return re.search(_ENDINGS[self.dialect], self.body) is not None

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors told: the body's, or those of events."""
        values = self.values if self.streamed else [_json(self.body)]
        if self.dialect == "responses" and self.streamed:
            return [fault for value in values if (fault := _failure(value)) is not None]
        return [value["error"] for value in values if isinstance(value, dict) and "error" in value]

    @property
    def told(self) -> tuple[int, str]:
        """The status and the one error's type."""
        (error,) = self.errors
        return self.status, error["type"]


_ENDINGS = {
    "chat": rb"data: ?\[DONE\]",
    "messages": rb'"type": ?"message_stop"',
    "responses": rb'"type": ?"response.completed"',
}


def _failure(value: Any) -> dict[str, Any] | None:
    """The error of an event, its code for its type."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "error":
        return {**value, "type": value["code"]}
    if kind == "response.failed":
        error: dict[str, Any] = value["response"]["error"]
        return {**error, "type": error["code"]}
    return None


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return None


def _said(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    if value.get("type") == "content_block_delta":
        return str(value["delta"].get("text", ""))
    if value.get("type") == "response.output_text.delta":
        return str(value["delta"])
    choices = value.get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


async def received(client: RawClient, dialect: Dialect, seconds: float = 5.0) -> Answer:
    """The answer to a request that was sent."""
    status, headers = await client.read_head(seconds)
    found = Answer(dialect, status, headers, b"")
    try:
        if headers.get(b"transfer-encoding") == b"chunked":
            while piece := await client.read_chunk(seconds):
                found.body += piece
        else:
            found.body = await client.read_body(headers, seconds)
    except (EOFError, ConnectionError):
        found.cut = True
    return found


async def ask(
    port: int, dialect: Dialect, model: str, *headers: tuple[str, str], stream: bool = False,
    seconds: float = 5.0, **more: object,
) -> Answer:  # fmt: skip
    """A call of its own connection."""
    async with RawClient(port) as client:
        body = request(dialect, model, stream=stream, **more)
        await client.post(PATHS[dialect], body, *headers)
        return await received(client, dialect, seconds)
