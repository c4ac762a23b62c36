"""The body of a synchronous batch (`POST /v1/messages/batch`): Messages requests in a list.

All but the request's top level is the Messages dialect: errors, pings, and each item in itself.
"""

from dataclasses import replace
from typing import TypeVar

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.messages import MESSAGES
from gateway.errors import CallError, InvalidRequest
from gateway.wire.raw_json import member

T = TypeVar("T")


class BatchError(CallError):
    """A batch of which nothing was started; `param` is the path of the member that is wrong."""

    kind = "batch_processing_error"

    def __init__(self, message: str, param: str | None) -> None:
        details = {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "batch_processing",
            "fallback_applied": False,
        }
        super().__init__(message, param=param, details=details)


def _check_batch(fields: Fields) -> None:
    """BatchError where there are no items, or `model`, which is theirs by default, is none."""
    if "messages" not in fields:
        raise BatchError("messages: Field required", "messages")
    if not read_member(fields["messages"], list[Raw], "messages"):
        raise BatchError("messages: at least one item is required", "messages")
    if "model" in fields:
        read_member(fields["model"], str, "model")


def read_member(raw: Raw, type: type[T], path: str) -> T:
    """The value at that path of a batch; BatchError names the member that is wrong."""
    try:
        return member(raw, type, path)
    except InvalidRequest as fault:
        raise BatchError(fault.message, fault.param) from None
    except UnicodeDecodeError:
        raise BatchError(f"{path}: is not UTF-8", path) from None


BATCH = replace(MESSAGES, name="messages_batch", path="/messages/batch", check=_check_batch)
