"""Content of a Chat client's messages (`ChatCompletionContentPartParam`)."""

from msgspec import Raw

from gateway.dialects.chat import fast_shapes as typed
from gateway.dialects.chat.tools_in import read_cache_mark
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
from gateway.dialects.common.media import read_file, read_image
from gateway.errors import InvalidRequest
from gateway.neutral.events import Audio, CacheMark, Opaque, Part, Refusal, Text, Thinking
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member

KnownPart = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | ThinkingPart


def read_parts(
    message: typed.MessageShape | MessageParam, at: int, notes: LossReport
) -> list[Part]:
    """The parts of the content of the message at that place; empty text says nothing."""
    content = message.content
    if content is None or content == "":
        return []
    if isinstance(content, str):
        control = message.cache_control
        return [Text(content, read_cache_mark(control) if control is not None else None)]
    path = f"messages.{at}.content"
    parts = [_read_part(item, f"{path}.{index}", notes) for index, item in enumerate(content)]
    return [part for part in parts if not isinstance(part, Text) or part.text]


_SHAPE_OF_TYPE: dict[str, type[KnownPart]] = {
    "text": TextPart,
    "input_text": TextPart,
    "output_text": TextPart,
    "image_url": ImagePart,
    "input_audio": AudioPart,
    "file": FilePart,
    "refusal": RefusalPart,
    "thinking": ThinkingPart,
}


def _read_part(item: typed.PartItem, path: str, notes: LossReport) -> Part:
    if not isinstance(item, Raw):
        return _read_known_part(item, path, notes)
    kind = member(item, Kind, path).type
    if not kind:
        raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
    shape = _SHAPE_OF_TYPE.get(kind)
    if shape is None:
        return Opaque(kind, Raw(bytes(item)), "chat")
    return _read_known_part(member(item, shape, path), path, notes)


def _read_known_part(found: KnownPart, path: str, notes: LossReport) -> Part:
    match found:
        case TextPart():
            return Text(
                found.text, cache=_read_mark(found.cache_control, found.prompt_cache_breakpoint)
            )
        case ImagePart():
            return _read_image_part(found, f"{path}.image_url", notes)
        case AudioPart():
            return Audio(found.input_audio.data, found.input_audio.format)
        case FilePart():
            return _read_file_part(found, f"{path}.file", notes)
        case RefusalPart():
            return Refusal(found.refusal)
        case ThinkingPart():
            thinking = found.thinking
            texts = [thinking] if isinstance(thinking, str) else [part.text for part in thinking]
            return Thinking("".join(texts), origin="chat")


def _read_mark(control: CacheControl | None, point: Breakpoint | None) -> CacheMark | None:
    if point is not None:
        return CacheMark("1h" if point.ttl == "12h" else None)
    return read_cache_mark(control)


def _read_image_part(found: ImagePart, path: str, notes: LossReport) -> Part:
    bare = isinstance(found.image_url, str)
    url = found.image_url if isinstance(found.image_url, str) else found.image_url.url
    mark = _read_mark(found.cache_control, found.prompt_cache_breakpoint)
    return read_image(url, path if bare else f"{path}.url", mark, notes)


def _read_file_part(found: FilePart, path: str, notes: LossReport) -> Part:
    return read_file(
        found.file, path, _read_mark(found.cache_control, found.prompt_cache_breakpoint)
    )
