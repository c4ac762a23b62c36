"""Errors for Gemini clients (`{"error":{"code","message","status","details"}}`)."""

from gateway.errors import GatewayError


def write_error(error: GatewayError, request_id: str) -> bytes:
    """An error body."""
    raise NotImplementedError


def write_error_event(error: GatewayError, request_id: str) -> bytes:
    """An error inside a stream."""
    raise NotImplementedError


def error_status(error: GatewayError) -> int:
    """The status that a Gemini client knows what to do with."""
    raise NotImplementedError
