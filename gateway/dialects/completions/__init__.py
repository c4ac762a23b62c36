"""Legacy text completions (`POST /completions`): one text in, its continuation out.

A provider that has the endpoint gets the client's own bytes. For any other the text becomes one
user turn, and the answer's text the completion; no provider is ever asked in this dialect for the
client of another. Errors are those of Chat.
"""

from dataclasses import replace

from gateway.dialects.chat import CHAT
from gateway.dialects.common.strip_sealed import strip_sealed_reasoning
from gateway.dialects.completions.answer import read_message, write_message
from gateway.dialects.completions.answer_texts import find_answer_texts
from gateway.dialects.completions.prompt import check, read_prompt
from gateway.dialects.completions.stream import CompletionsReader, CompletionsWriter
from gateway.lanes.relay import Relay

COMPLETIONS = replace(
    CHAT,
    name="completions",
    path="/completions",
    check=check,
    read_prompt=read_prompt,
    read_message=read_message,
    write_message=write_message,
    find_answer_texts=find_answer_texts,
    reader=CompletionsReader,
    writer=CompletionsWriter,
    adapt_request=strip_sealed_reasoning,
    relay=Relay.of,
    also_served_by=lambda target: target.capability.completions and CHAT in target.dialects,
)
