"""A whole answer for a Gemini client (`GenerateContentResponse`)."""

from gateway.dialect import Crossing
from gateway.events import Message


def write_message(message: Message, crossing: Crossing) -> bytes:
    """The answer in one body."""
    raise NotImplementedError
