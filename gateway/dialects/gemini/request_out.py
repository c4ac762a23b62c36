"""A neutral prompt as a Gemini request."""

from gateway.dialect import Crossing, Fields


def write_prompt(crossing: Crossing) -> Fields:
    """The upstream's request."""
    raise NotImplementedError
