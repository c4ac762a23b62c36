"""AWS event-stream frames, made by the published encoding, and a stream of Claude's in them."""

import base64
import struct
import zlib
from collections.abc import Mapping

import msgspec

EVENTSTREAM = ("content-type", "application/vnd.amazon.eventstream")
SAID: list[dict[str, object]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße, "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "世界"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 11, "outputTokenCount": 7, "invocationLatency": 900,
            "firstByteLatency": 300,
        },
    },
]  # fmt: skip


def raw(headers: bytes, payload: bytes) -> bytes:
    """A frame around header bytes and a payload."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def strings(headers: Mapping[str, str]) -> bytes:
    """Headers of the string type."""
    out = b""
    for name, value in headers.items():
        text = value.encode()
        out += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text
    return out


def chunk(data: bytes) -> bytes:
    """A frame that carries a piece of the model's answer."""
    headers = {
        ":event-type": "chunk", ":content-type": "application/json", ":message-type": "event",
    }  # fmt: skip
    payload = msgspec.json.encode({"bytes": base64.b64encode(data).decode(), "p": "abcdefgh"})
    return raw(strings(headers), payload)


def exception(kind: str, message: str) -> bytes:
    """A frame that tells of a fault of the model's."""
    headers = {
        ":exception-type": kind, ":content-type": "application/json", ":message-type": "exception",
    }  # fmt: skip
    return raw(strings(headers), msgspec.json.encode({"message": message}))


def error(code: str, message: str) -> bytes:
    """A frame that tells of a fault of the connection's: all of it in headers."""
    return raw(
        strings({":message-type": "error", ":error-code": code, ":error-message": message}), b""
    )


def said(*events: dict[str, object]) -> list[bytes]:
    """A frame for each event."""
    return [chunk(msgspec.json.encode(each)) for each in events or SAID]


def sse(*events: dict[str, object]) -> bytes:
    """The same as server-sent events."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (str(each["type"]).encode(), msgspec.json.encode(each))
        for each in events or SAID
    )
