"""What a client of the Batch API asks of a new batch, and how long it wants files kept."""

import msgspec
from msgspec import Raw, Struct

from gateway.batches.lines import BATCH_ENDPOINT
from gateway.dialect import Fields
from gateway.errors import InvalidRequest
from gateway.wire.raw_json import member

_ALTERNATIVES = {
    "/v1/responses": "write each line as a chat completion, or send the requests to /v1/responses",
    "/v1/completions": "write each prompt as the message of a chat completion, or send the "
    "requests to /v1/completions",
    "/v1/embeddings": "send requests to /v1/embeddings, each with a list of texts as its input",
}
_LEAST, _MOST = 3600, 2592000


class BatchParams(Struct, frozen=True):
    """The members of `BatchCreateParams` that a batch keeps."""

    file: str = ""
    metadata: bytes = b""
    output_seconds: float | None = None


class _ExpiresAfter(Struct):
    anchor: str | None = None
    seconds: int | float = 0


def read_batch_params(fields: Fields) -> BatchParams:
    """What the request says. InvalidRequest names the member that is wrong."""
    for name in ("input_file_id", "endpoint", "completion_window"):
        if name not in fields:
            raise InvalidRequest(f"Missing required parameter: '{name}'.", param=name)
    _check_endpoint(member(fields["endpoint"], str, "endpoint"))
    if member(fields["completion_window"], str, "completion_window") != "24h":
        raise InvalidRequest("completion_window: must be '24h'", param="completion_window")
    metadata = fields.get("metadata", Raw(b"null"))
    given = member(metadata, dict[str, str] | None, "metadata")
    if given and (len(given) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in given.items())):
        message = "metadata: at most 16 keys of 64 characters, with values of 512"
        raise InvalidRequest(message, param="metadata")
    return BatchParams(
        member(fields["input_file_id"], str, "input_file_id"),
        msgspec.json.encode(given) if given else b"",
        _read_output_retention(fields.get("output_expires_after", Raw(b"null"))),
    )


def _check_endpoint(given: str) -> None:
    if given == BATCH_ENDPOINT:
        return
    instead = _ALTERNATIVES.get(given, "its requests have to be sent one by one")
    message = (
        f"endpoint: batches of this gateway take requests for '{BATCH_ENDPOINT}' only, which any "
        f"provider answers; for '{given[:100]}', {instead}"
    )
    raise InvalidRequest(message, param="endpoint")


def _read_output_retention(raw: Raw) -> float | None:
    given = member(raw, _ExpiresAfter | None, "output_expires_after")
    if given is None:
        return None
    return check_retention(given.anchor, given.seconds, "output_expires_after")


def check_retention(anchor: str | None, seconds: float, path: str) -> float:
    """Seconds from a file's creation on. InvalidRequest outside of what the API takes."""
    if not _LEAST <= seconds <= _MOST:
        message = f"{path}.seconds: must be a number from {_LEAST} to {_MOST}"
        raise InvalidRequest(message, param=f"{path}.seconds")
    if anchor != "created_at":
        raise InvalidRequest(f"{path}.anchor: must be 'created_at'", param=f"{path}.anchor")
    return float(seconds)
