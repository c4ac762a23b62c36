"""The requests of a batch, each checked before any of them starts."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Raw, Struct

from gateway.batches.tables import LineRow
from gateway.dialect import Dialect, Fields
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.wire.raw_json import member, split_object

BATCH_ENDPOINT = "/v1/chat/completions"
"""The one endpoint of which the Batch API takes requests here."""
_MESSAGES_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_CHAT_ID_LENGTH = 512
_MAX_FAULTS = 100
"""Faulty lines that are told; the rest is like them."""


class LineFault(Struct, frozen=True):
    """What is wrong with a line of an input file, in the words of the Batch API."""

    code: str
    message: str
    param: str | None
    line: int | None


class InputRefused(Exception):
    """An input file of which nothing is started."""

    def __init__(self, faults: list[LineFault]) -> None:
        super().__init__(faults[0].message)
        self.faults = faults


def read_requests(body: bytes, most: int) -> list[LineRow]:
    """The requests of a Message Batch. InvalidRequest names the first that cannot be started."""
    try:
        fields = split_object(body)
        if "requests" not in fields:
            raise InvalidRequest("requests: Field required", param="requests")
        raws = member(fields["requests"], list[Raw], "requests")
        if not raws:
            raise InvalidRequest("requests: at least one request is required", param="requests")
        if len(raws) > most:
            message = f"requests: {len(raws)} requests are more than the {most} of one batch"
            raise InvalidRequest(message, param="requests")
        seen: dict[str, int] = {}
        return [_read_request(raw, place, seen) for place, raw in enumerate(raws)]
    except UnicodeDecodeError as bad:
        raise InvalidRequest(f"the request body is not UTF-8 at byte {bad.start}") from None


def _read_request(raw: Raw, place: int, seen: dict[str, int]) -> LineRow:
    path = f"requests.{place}"
    fields: Fields = member(raw, dict[str, Raw], path)
    for name in ("custom_id", "params"):
        if name not in fields:
            raise InvalidRequest(f"{path}.{name}: Field required", param=f"{path}.{name}")
    custom_id = member(fields["custom_id"], str, f"{path}.custom_id")
    at = f"{path}.custom_id"
    if not _MESSAGES_ID_PATTERN.fullmatch(custom_id):
        message = f"{at}: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        raise InvalidRequest(message, param=at)
    if seen.setdefault(custom_id, place) != place:
        first = seen[custom_id]
        message = f"{at}: '{custom_id}' is that of requests.{first} already: it must be unique"
        raise InvalidRequest(message, param=at)
    params: Fields = member(fields["params"], dict[str, Raw], f"{path}.params")
    _check_params(MESSAGES, params, f"{path}.params")
    return LineRow(place, custom_id, bytes(fields["params"]))


def _check_params(dialect: Dialect, params: Fields, path: str) -> None:
    try:
        dialect.check(params)
    except InvalidRequest as fault:
        raise InvalidRequest(f"{path}.{fault.message}", param=f"{path}.{fault.param}") from None


def read_input(lines: Iterable[bytes], most: int) -> Iterator[LineRow]:
    """The requests of an input file. Refused, at its end, names those that cannot be started."""
    faults: list[LineFault] = []
    seen: set[str] = set()
    count = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        count += 1
        if count > most:
            message = f"The file has more than the {most} requests of one batch."
            raise InputRefused([LineFault("too_many_requests", message, None, number)])
        try:
            yield _read_line(text, number, seen)
        except _InvalidLine as faulty:
            faults.append(faulty.fault)
            if len(faults) == _MAX_FAULTS:
                break
    if faults:
        raise InputRefused(faults)
    if not count:
        raise InputRefused([LineFault("empty_file", "The input file has no requests.", None, None)])


class _InvalidLine(Exception):
    def __init__(self, code: str, message: str, param: str | None, line: int) -> None:
        super().__init__(message)
        self.fault = LineFault(code, message, param, line)


def _read_line(text: bytes, number: int, seen: set[str]) -> LineRow:
    try:
        fields = split_object(text)
    except (InvalidRequest, UnicodeDecodeError):
        message = "This line is not parseable as valid JSON."
        raise _InvalidLine("invalid_json_line", message, None, number) from None
    try:
        for name in ("custom_id", "method", "url", "body"):
            if name not in fields:
                message = f"Missing required parameter: '{name}'."
                raise _InvalidLine("missing_required_parameter", message, name, number)
        custom_id = member(fields["custom_id"], str, "custom_id")
        method, url = (member(fields[name], str, name) for name in ("method", "url"))
        body: Fields = member(fields["body"], dict[str, Raw], "body")
        _check_params(CHAT, body, "body")
    except InvalidRequest as fault:
        raise _InvalidLine("invalid_request", fault.message, fault.param, number) from None
    except UnicodeDecodeError:
        raise _InvalidLine("invalid_json_line", "This line is not UTF-8.", None, number) from None
    if method != "POST":
        raise _InvalidLine("invalid_method", "The method must be 'POST'.", "method", number)
    if url != BATCH_ENDPOINT:
        message = f"The url must be the endpoint of the batch, '{BATCH_ENDPOINT}'."
        raise _InvalidLine("invalid_url", message, "url", number)
    if not 0 < len(custom_id) <= _MAX_CHAT_ID_LENGTH or "\0" in custom_id:
        message = f"custom_id must have 1 to {_MAX_CHAT_ID_LENGTH} characters, none of them NUL."
        raise _InvalidLine("invalid_custom_id", message, "custom_id", number)
    if custom_id in seen:
        message = f"The custom_id '{custom_id[:100]}' is that of an earlier line already."
        raise _InvalidLine("duplicate_custom_id", message, "custom_id", number)
    seen.add(custom_id)
    return LineRow(number, custom_id, bytes(fields["body"]))
