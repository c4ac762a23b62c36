"""Legacy text completions (`POST /completions`): one text in, its continuation out.

A provider that has the endpoint gets the client's own bytes. For any other the text becomes one
user turn, and the answer's text the completion; no provider is ever asked in this dialect for the
client of another. Errors are those of Chat.
"""

from gateway.dialect import Crossing, Dialect, Fields, Reader, Writer
from gateway.dialects.chat import Chat
from gateway.dialects.completions.answer import read_message, write_message
from gateway.dialects.completions.prompt import check, read_prompt
from gateway.dialects.completions.stream import CompletionsReader, CompletionsWriter
from gateway.events import Message, Prompt
from gateway.notes import Notes


class Completions(Chat):
    """`CompletionCreateParams` and `Completion`."""

    name = "completions"
    path = "/completions"

    def check(self, fields: Fields) -> None:
        """InvalidRequest where a top-level member is missing or mistyped."""
        check(fields)

    def read_prompt(self, fields: Fields, notes: Notes) -> Prompt:
        """The text as one user turn."""
        return read_prompt(fields, notes)

    def read_message(self, body: bytes, crossing: Crossing) -> Message:
        """A whole answer of an upstream."""
        return read_message(body, crossing)

    def write_message(self, message_: Message, crossing: Crossing) -> bytes:
        """A whole answer for the client."""
        return write_message(message_, crossing)

    def reader(self, crossing: Crossing) -> Reader:
        """A reader of one upstream stream."""
        return CompletionsReader(crossing)

    def writer(self, crossing: Crossing) -> Writer:
        """A writer of one client stream."""
        return CompletionsWriter(crossing)


COMPLETIONS: Dialect = Completions()
