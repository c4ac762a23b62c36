"""What clients of the two batch APIs are told: batches, files, and the lines of results."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from gateway.batches.tables import BatchRow, FileRow, LineRow

_encode = msgspec.json.encode
_NULL = b"null"
_STATUS_OF_PHASE = {
    "running": "in_progress",
    "validating": "validating",
    "finalizing": "finalizing",
}


def write_message_batch(batch: BatchRow, url: str) -> dict[str, object]:
    """A `MessageBatch`; `url` is where the gateway is, as the client sees it."""
    ended = batch.phase == "ended"
    status = "ended" if ended else "canceling" if batch.stopped else "in_progress"
    results = f"{url}/v1/messages/batches/{batch.id}/results" if ended else None
    counts = {"processing": 0 if ended else batch.total}
    # The API counts every request as processing until the last one is through.
    counts |= {
        state: getattr(batch, state) if ended else 0
        for state in ("succeeded", "errored", "canceled", "expired")
    }
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": counts,
        "ended_at": _render_time(batch.ended),
        "created_at": _render_time(batch.created),
        "expires_at": _render_time(batch.expires),
        "archived_at": None,
        "cancel_initiated_at": _render_time(batch.stopped),
        "results_url": results,
    }


def write_chat_batch(
    batch: BatchRow, counts: Mapping[str, int], endpoint: str
) -> dict[str, object]:
    """A `Batch`; `counts` are those of the moment."""
    status = batch.outcome or ("cancelling" if batch.stopped else _STATUS_OF_PHASE[batch.phase])
    faults = msgspec.json.decode(batch.faults) if batch.faults else None
    ended = {
        f"{outcome}_at": _to_seconds(batch.ended if batch.outcome == outcome else None)
        for outcome in ("completed", "failed", "expired", "cancelled")
    }
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": endpoint,
        "errors": {"object": "list", "data": faults} if faults else None,
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "status": status,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "created_at": _to_seconds(batch.created),
        "in_progress_at": _to_seconds(batch.started),
        "expires_at": _to_seconds(batch.expires),
        "finalizing_at": _to_seconds(batch.finalizing),
        "cancelling_at": _to_seconds(batch.stopped),
        **ended,
        "request_counts": {
            "total": batch.total,
            "completed": counts["succeeded"],
            "failed": counts["errored"] + counts["expired"],
        },
        "metadata": msgspec.json.decode(batch.metadata) if batch.metadata else None,
    }


def write_file_object(file: FileRow) -> dict[str, object]:
    """A `FileObject`."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": _to_seconds(file.created),
        "expires_at": _to_seconds(file.expires),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def render_result(batch: BatchRow, line: LineRow, call_id: str, status: int, body: bytes) -> bytes:
    """The result line of a request that was answered, well (200) or with an error."""
    whole = Raw(body)
    if batch.kind == "chat":
        response = {"status_code": status, "request_id": call_id, "body": whole}
        return _render_chat_line(batch, line, response, None)
    if status == 200:
        return _render_messages_line(line, {"type": "succeeded", "message": whole})
    return _render_messages_line(line, {"type": "errored", "error": whole})


def render_unsent(batch: BatchRow, line: LineRow, state: str) -> bytes:
    """The result line of a request that was never sent: canceled, or expired."""
    if batch.kind == "messages":
        return _render_messages_line(line, {"type": state})
    message = (
        "This request could not be executed before the completion window expired."
        if state == "expired"
        else "This request was not executed: the batch was cancelled."
    )
    return _render_chat_line(batch, line, None, {"code": f"batch_{state}", "message": message})


def _render_messages_line(line: LineRow, result: dict[str, Any]) -> bytes:
    return _encode({"custom_id": line.custom_id, "result": result})


def _render_chat_line(
    batch: BatchRow, line: LineRow, response: dict[str, Any] | None, error: dict[str, str] | None
) -> bytes:
    ident = f"batch_req_{batch.id.removeprefix('batch_')}_{line.line}"
    return _encode({
        "id": ident, "custom_id": line.custom_id, "response": response, "error": error
    })  # fmt: skip


def _render_time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _to_seconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
