"""The parts of a Gemini client's contents (`Part`) as neutral parts."""

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.signature_bundle import to_standard_base64
from gateway.dialects.gemini.wire import Blob, FileData, FunctionResponse
from gateway.dialects.gemini.wire_in import RequestPart
from gateway.errors import InvalidRequest, UnusableMedia
from gateway.neutral.events import Audio, Document, Image, Part, ServerTool, Text, ToolResult
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import decode, present

_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
_PDF = "application/pdf"
_MEDIA_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp", "pdf": _PDF,
}  # fmt: skip
"""Media types by file extension, where the client gives none."""
_GOOGLE_URIS = ("gs://", "https://generativelanguage.googleapis.com/", "files/")
_RESULT_MEMBERS = frozenset({"output", "result"})
"""Members that are the whole result if they are the response's only member."""


def read_media(part: RequestPart, path: str, notes: LossReport) -> Part | None:
    """The image, file or sound of a part; None if it has none."""
    if part.inline_data is None and part.file_data is None:
        return None
    if present(part.video_metadata):
        notes.drop(f"{path}.videoMetadata")
    if present(part.media_resolution):
        notes.drop(f"{path}.mediaResolution")
    if part.inline_data is not None:
        return read_inline_data(part.inline_data, f"{path}.inlineData")
    assert part.file_data is not None
    return read_file_data(part.file_data, f"{path}.fileData")


def read_inline_data(blob: Blob, path: str) -> Part:
    """The part of inline data."""
    for name, value in (("mimeType", blob.mime_type), ("data", blob.data)):
        if not value:
            raise InvalidRequest(f"{path}.{name}: Field required", param=f"{path}.{name}")
    kind, data = (blob.mime_type or "").lower(), to_standard_base64(blob.data or "")
    family, _, subtype = kind.partition(";")[0].strip().partition("/")
    label = f"{family}/{subtype}"
    if family == "image":
        return Image(label, data)
    if family == "audio":
        return Audio(data, _AUDIO_FORMATS.get(subtype, subtype))
    if label == _PDF or family == "text":
        return Document(label, data, title=blob.display_name)
    raise UnusableMedia(path, f"{label} is not available from this provider")


def read_file_data(file: FileData, path: str) -> Part:
    """The part of a file's URL; the gateway does not fetch it."""
    uri = file.file_uri
    if not uri:
        raise InvalidRequest(f"{path}.fileUri: Field required", param=f"{path}.fileUri")
    if uri.startswith(_GOOGLE_URIS):
        raise UnusableMedia(path, "a file kept by Google cannot be read by this provider")
    if not uri.startswith(("https://", "http://")):
        where = f"{path}.fileUri"
        raise InvalidRequest(f"{where}: must be an http or https URL", param=where)
    suffix = uri.partition("?")[0].rpartition(".")[2].lower()
    kind = (file.mime_type or _MEDIA_TYPES.get(suffix, "")).lower()
    if kind.startswith("image/"):
        return Image(kind, url=uri)
    if kind == _PDF or kind.startswith("text/"):
        return Document(kind, url=uri, title=file.display_name)
    raise UnusableMedia(path, f"{kind or 'an unnamed type'} is not available from this provider")


def read_code(part: RequestPart) -> Part | None:
    """Code that Google ran for an earlier answer, or its output, as readable text."""
    if part.executable_code is not None:
        code = part.executable_code
        text = f"```{(code.language or '').lower()}\n{code.code}\n```"
        return ServerTool(text, "executableCode", _encode_raw(code))
    if part.code_execution_result is not None:
        result = part.code_execution_result
        return ServerTool(
            f"```\n{result.output or ''}\n```", "codeExecutionResult", _encode_raw(result)
        )
    return None


def _encode_raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def read_result(found: FunctionResponse, call_id: str, path: str) -> ToolResult:
    """The tool result for the call with that id."""
    text, is_error = _read_response(found.response, f"{path}.response")
    parts: list[Part] = [Text(text)] if text else []
    for at, part in enumerate(found.parts or ()):
        where = f"{path}.parts.{at}"
        if part.inline_data is not None:
            parts.append(read_inline_data(part.inline_data, f"{where}.inlineData"))
        elif part.file_data is not None:
            parts.append(read_file_data(part.file_data, f"{where}.fileData"))
    return ToolResult(call_id, parts, is_error)


def _read_response(raw: Raw, path: str) -> tuple[str, bool]:
    """The text of a response, and whether it is an error."""
    if not present(raw):
        return "", False
    try:
        members = decode(raw, dict[str, Raw])
    except msgspec.ValidationError:
        raise InvalidRequest(f"{path}: must be an object", param=path) from None
    if len(members) != 1:
        return (bytes(raw).decode("utf-8", "replace") if members else ""), False
    name, value = next(iter(members.items()))
    if name not in _RESULT_MEMBERS and name != "error":
        return bytes(raw).decode("utf-8", "replace"), False
    if bytes(value)[:1] == b'"':
        return decode(value, str), name == "error"
    if bytes(value) == b"null":
        return "", False
    return bytes(value).decode("utf-8", "replace"), name == "error"
