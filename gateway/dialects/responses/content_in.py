"""Content of Responses input items: of messages and of tool results."""

from msgspec import Raw

from gateway.dialects.common.media import read_file, read_image
from gateway.dialects.common.shapes import FileFile
from gateway.dialects.responses.wire import (
    DIALECT_NAME,
    Breakpoint,
    FilePart,
    ImagePart,
    Kind,
    RefusalPart,
    TextPart,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import CacheMark, Document, Image, Opaque, Part, Refusal, Text
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member

_TEXT_TYPES = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def read_content(content: str | list[Raw] | None, path: str, notes: LossReport) -> list[Part]:
    """The parts of a message's or an output's content; empty texts are left out."""
    if not content:
        return []
    if isinstance(content, str):
        return [Text(content)]
    parts = (_read_part(raw, f"{path}.{at}", notes) for at, raw in enumerate(content))
    return [part for part in parts if not isinstance(part, Text) or part.text]


def _read_part(raw: Raw, path: str, notes: LossReport) -> Part:
    kind = member(raw, Kind, path).type
    if kind in _TEXT_TYPES:
        text = member(raw, TextPart, path)
        return Text(text.text, _read_mark(text.prompt_cache_breakpoint))
    if kind == "refusal":
        return Refusal(member(raw, RefusalPart, path).refusal)
    if kind in ("input_image", "computer_screenshot"):
        return _read_image_part(member(raw, ImagePart, path), path, notes)
    if kind == "input_file":
        return _read_file_part(member(raw, FilePart, path), path)
    if not kind:
        raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
    return Opaque(kind, Raw(bytes(raw)), DIALECT_NAME)


def _read_mark(point: Breakpoint | None) -> CacheMark | None:
    return None if point is None else CacheMark("1h" if point.ttl == "12h" else None)


def _read_image_part(found: ImagePart, path: str, notes: LossReport) -> Part:
    mark = _read_mark(found.prompt_cache_breakpoint)
    if found.image_url is not None:
        return read_image(found.image_url, f"{path}.image_url", mark, notes)
    if found.file_id is None:
        raise InvalidRequest(f"{path}.image_url: Field required", param=f"{path}.image_url")
    return Image(file_id=found.file_id, cache=mark)


def _read_file_part(found: FilePart, path: str) -> Part:
    mark = _read_mark(found.prompt_cache_breakpoint)
    if found.file_url is not None and found.file_data is None:
        return Document(url=found.file_url, title=found.filename, cache=mark)
    return read_file(FileFile(found.file_data, found.file_id, found.filename), path, mark)
