"""Content of a Chat client's messages (`ChatCompletionContentPartParam`)."""

import base64
import binascii

from msgspec import Raw

from gateway.dialects.chat.tools_in import mark_of
from gateway.dialects.chat.wire import (
    AudioPart,
    Breakpoint,
    CacheControl,
    FilePart,
    ImagePart,
    Kind,
    MessageParam,
    RefusalPart,
    TextPart,
    ThinkingPart,
)
from gateway.errors import InvalidRequest
from gateway.events import (
    Audio,
    CacheMark,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
)
from gateway.notes import Notes
from gateway.wire import member

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_PDF = "application/pdf"


def read_parts(message: MessageParam, path: str, notes: Notes) -> list[Part]:
    """The parts of a message's content; empty text says nothing."""
    content = message.content
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content, cache=mark_of(message.cache_control))]
    parts = (_part(raw, f"{path}.content.{index}", notes) for index, raw in enumerate(content))
    return [part for part in parts if not isinstance(part, Text) or part.text]


def _part(raw: Raw, path: str, notes: Notes) -> Part:
    kind = member(raw, Kind, path).type
    match kind:
        case "text" | "input_text" | "output_text":
            text = member(raw, TextPart, path)
            return Text(text.text, cache=_mark(text.cache_control, text.prompt_cache_breakpoint))
        case "image_url":
            return _image(member(raw, ImagePart, path), f"{path}.image_url", notes)
        case "input_audio":
            found = member(raw, AudioPart, path).input_audio
            return Audio(found.data, found.format)
        case "file":
            return _file(member(raw, FilePart, path), f"{path}.file", notes)
        case "refusal":
            return Refusal(member(raw, RefusalPart, path).refusal)
        case "thinking":
            thinking = member(raw, ThinkingPart, path).thinking
            texts = [thinking] if isinstance(thinking, str) else [part.text for part in thinking]
            return Thinking("".join(texts), origin="chat")
        case "":
            raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
        case _:
            return Opaque(kind, Raw(bytes(raw)), "chat")


def _mark(control: CacheControl | None, point: Breakpoint | None) -> CacheMark | None:
    if point is not None:
        return CacheMark("1h" if point.ttl == "12h" else None)
    return mark_of(control)


def _image(found: ImagePart, path: str, notes: Notes) -> Part:
    bare = isinstance(found.image_url, str)
    url = found.image_url if isinstance(found.image_url, str) else found.image_url.url
    where = path if bare else f"{path}.url"
    mark = _mark(found.cache_control, found.prompt_cache_breakpoint)
    if url.startswith(("http://", "https://")):
        return Image(url=url, cache=mark)
    if not url.startswith("data:"):
        raise InvalidRequest(f"{where}: must be an http, https or data URL", param=where)
    label, data = _data_url(url, where)
    sniffed = _sniff(data)
    if sniffed and sniffed != label:
        notes.note(where, "media_type_corrected")
        label = sniffed
    if label == _PDF:
        return Document(_PDF, data, cache=mark)
    if not label.startswith("image/"):
        raise InvalidRequest(f"{where}: {label or 'unlabelled data'} is no image", param=where)
    return Image(label, data, cache=mark)


def _data_url(url: str, path: str) -> tuple[str, str]:
    head, comma, data = url.removeprefix("data:").partition(",")
    label, *options = head.split(";")
    if not comma or "base64" not in options:
        raise InvalidRequest(f"{path}: must be base64 after `data:<media type>;`", param=path)
    return label.strip().lower(), data


def _sniff(data: str) -> str | None:
    """The media type that the first bytes show."""
    try:
        head = base64.b64decode(data[:24])
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((label for magic, label in _MAGIC if head.startswith(magic)), None)


def _file(found: FilePart, path: str, notes: Notes) -> Part:
    file = found.file
    mark = _mark(found.cache_control, found.prompt_cache_breakpoint)
    if file.file_data is None:
        if file.file_id is None:
            raise InvalidRequest(f"{path}.file_data: Field required", param=f"{path}.file_data")
        return Document(file_id=file.file_id, title=file.filename, cache=mark)
    where = f"{path}.file_data"
    if file.file_data.startswith("data:"):
        label, data = _data_url(file.file_data, where)
    else:
        label, data = "", file.file_data
    label = _sniff(data) or label
    if label.startswith("image/"):
        return Image(label, data, cache=mark)
    if label.startswith("text/"):
        return Document(label, text=_decoded(data, where), title=file.filename, cache=mark)
    if label != _PDF:
        raise InvalidRequest(f"{where}: only PDF and text can be carried", param=where)
    return Document(_PDF, data, title=file.filename, cache=mark)


def _decoded(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{path}: is no base64 of UTF-8 text", param=path) from None
