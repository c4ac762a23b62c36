"""Errors of the Gemini API, as an upstream tells them."""

from gateway.dialect import Digest
from gateway.errors import GatewayError
from gateway.sse import Frame


def read_error(status: int, body: bytes) -> GatewayError:
    """What an upstream's error answer says."""
    raise NotImplementedError


def stream_error(frame: Frame) -> GatewayError | None:
    """The error that a frame carries, if any."""
    raise NotImplementedError


def digest(body: bytes) -> Digest:
    """An error in a 200, and the tokens used."""
    raise NotImplementedError


def whole(tail: bytes) -> bool:
    """Whether the last bytes of a stream hold its ending."""
    raise NotImplementedError
