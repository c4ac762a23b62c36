"""A Gemini client's request in neutral form (`GenerateContentParameters`)."""

from gateway.dialect import Fields
from gateway.events import Prompt
from gateway.notes import Notes


def check(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    raise NotImplementedError


def read_prompt(fields: Fields, notes: Notes) -> Prompt:
    """The request; InvalidRequest names the path of a member that is wrong."""
    raise NotImplementedError
