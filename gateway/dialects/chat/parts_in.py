"""Content of a Chat client's messages (`ChatCompletionContentPartParam`)."""

import base64
import binascii

from msgspec import Raw

from gateway.dialects.chat import typed
from gateway.dialects.chat.tools_in import mark_of
from gateway.dialects.chat.wire import (
    AudioPart,
    Breakpoint,
    CacheControl,
    FileFile,
    FilePart,
    ImagePart,
    Kind,
    MessageParam,
    RefusalPart,
    TextPart,
    ThinkingPart,
)
from gateway.errors import InvalidRequest, UnusableMedia
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
Shape = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | ThinkingPart


def read_parts(message: typed.Message | MessageParam, at: int, notes: Notes) -> list[Part]:
    """The parts of the content of the message at that place; empty text says nothing."""
    content = message.content
    if content is None or content == "":
        return []
    if isinstance(content, str):
        control = message.cache_control
        return [Text(content, mark_of(control) if control is not None else None)]
    path = f"messages.{at}.content"
    parts = [_part(item, f"{path}.{index}", notes) for index, item in enumerate(content)]
    return [part for part in parts if not isinstance(part, Text) or part.text]


_SHAPES: dict[str, type[Shape]] = {
    "text": TextPart,
    "input_text": TextPart,
    "output_text": TextPart,
    "image_url": ImagePart,
    "input_audio": AudioPart,
    "file": FilePart,
    "refusal": RefusalPart,
    "thinking": ThinkingPart,
}


def _part(item: typed.Item, path: str, notes: Notes) -> Part:
    if not isinstance(item, Raw):
        return _known(item, path, notes)
    kind = member(item, Kind, path).type
    if not kind:
        raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
    shape = _SHAPES.get(kind)
    if shape is None:
        return Opaque(kind, Raw(bytes(item)), "chat")
    return _known(member(item, shape, path), path, notes)


def _known(found: Shape, path: str, notes: Notes) -> Part:
    match found:
        case TextPart():
            return Text(found.text, cache=_mark(found.cache_control, found.prompt_cache_breakpoint))
        case ImagePart():
            return _image(found, f"{path}.image_url", notes)
        case AudioPart():
            return Audio(found.input_audio.data, found.input_audio.format)
        case FilePart():
            return _file(found, f"{path}.file", notes)
        case RefusalPart():
            return Refusal(found.refusal)
        case ThinkingPart():
            thinking = found.thinking
            texts = [thinking] if isinstance(thinking, str) else [part.text for part in thinking]
            return Thinking("".join(texts), origin="chat")


def _mark(control: CacheControl | None, point: Breakpoint | None) -> CacheMark | None:
    if point is not None:
        return CacheMark("1h" if point.ttl == "12h" else None)
    return mark_of(control)


def _image(found: ImagePart, path: str, notes: Notes) -> Part:
    bare = isinstance(found.image_url, str)
    url = found.image_url if isinstance(found.image_url, str) else found.image_url.url
    mark = _mark(found.cache_control, found.prompt_cache_breakpoint)
    return read_image(url, path if bare else f"{path}.url", mark, notes)


def read_image(url: str, where: str, mark: CacheMark | None, notes: Notes) -> Part:
    """The picture, or the PDF, at a URL; `where` is the path of the member that holds it."""
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
        raise UnusableMedia(where, f"{label or 'unlabelled data'} is no image")
    return Image(label, data, cache=mark)


def _data_url(url: str, path: str) -> tuple[str, str]:
    comma = url.find(",")
    label, *options = url[len("data:") : max(comma, 0)].split(";")
    if "base64" not in options:
        raise InvalidRequest(f"{path}: must be base64 after `data:<media type>;`", param=path)
    return label.strip().lower(), url[comma + 1 :]


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
    return read_file(found.file, path, _mark(found.cache_control, found.prompt_cache_breakpoint))


def read_file(file: FileFile, path: str, mark: CacheMark | None) -> Part:
    """A file's data, or its id; `path` is that of the object that holds them."""
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
