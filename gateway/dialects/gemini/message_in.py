"""A whole Gemini answer in neutral form."""

from gateway.dialect import Crossing
from gateway.events import Message


def read_message(body: bytes, crossing: Crossing) -> Message:
    """The answer."""
    raise NotImplementedError
