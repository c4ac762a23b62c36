"""Images and files in data URLs and base64, with the media type read from their bytes."""

import base64
import binascii

from gateway.dialects.common.shapes import FileFile
from gateway.errors import InvalidRequest, UnusableMedia
from gateway.neutral.events import CacheMark, Document, Image, Part
from gateway.neutral.notes import LossReport

_MAGIC_BYTES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)

_PDF = "application/pdf"


def read_image(url: str, where: str, mark: CacheMark | None, notes: LossReport) -> Part:
    """The image or PDF at a URL; `where` is the path of its member. InvalidRequest."""
    if url.startswith(("http://", "https://")):
        return Image(url=url, cache=mark)
    if not url.startswith("data:"):
        raise InvalidRequest(f"{where}: must be an http, https or data URL", param=where)
    label, data = _parse_data_url(url, where)
    sniffed = sniff_media_type(data)
    if sniffed and sniffed != label:
        notes.note(where, "media_type_corrected")
        label = sniffed
    if label == _PDF:
        return Document(_PDF, data, cache=mark)
    if not label.startswith("image/"):
        raise UnusableMedia(where, f"{label or 'unlabelled data'} is no image")
    return Image(label, data, cache=mark)


def _parse_data_url(url: str, path: str) -> tuple[str, str]:
    comma = url.find(",")
    label, *options = url[len("data:") : max(comma, 0)].split(";")
    if "base64" not in options:
        raise InvalidRequest(f"{path}: must be base64 after `data:<media type>;`", param=path)
    return label.strip().lower(), url[comma + 1 :]


def sniff_media_type(data: str) -> str | None:
    """The media type by the first bytes; None if they are not known."""
    try:
        head = base64.b64decode(data[:24])
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((label for magic, label in _MAGIC_BYTES if head.startswith(magic)), None)


def read_file(file: FileFile, path: str, mark: CacheMark | None) -> Part:
    """The part of a file's data or id; `path` is that of the file object. InvalidRequest."""
    if file.file_data is None:
        if file.file_id is None:
            raise InvalidRequest(f"{path}.file_data: Field required", param=f"{path}.file_data")
        return Document(file_id=file.file_id, title=file.filename, cache=mark)
    where = f"{path}.file_data"
    if file.file_data.startswith("data:"):
        label, data = _parse_data_url(file.file_data, where)
    else:
        label, data = "", file.file_data
    label = sniff_media_type(data) or label
    if label.startswith("image/"):
        return Image(label, data, cache=mark)
    if label.startswith("text/"):
        return Document(label, text=_decode_text(data, where), title=file.filename, cache=mark)
    if label != _PDF:
        raise InvalidRequest(f"{where}: only PDF and text can be carried", param=where)
    return Document(_PDF, data, title=file.filename, cache=mark)


def _decode_text(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{path}: is no base64 of UTF-8 text", param=path) from None
