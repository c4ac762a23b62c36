"""The Anthropic Messages dialect (`POST /v1/messages`)."""

from gateway.dialect import Dialect
from gateway.dialects.common.strip_sealed import strip_sealed_reasoning
from gateway.dialects.messages import errors, request_in, request_out
from gateway.dialects.messages.answer_texts import find_answer_texts
from gateway.dialects.messages.message import read_message, write_message
from gateway.dialects.messages.reader import MessagesReader
from gateway.dialects.messages.writer import PING, MessagesWriter
from gateway.lanes.relay import Relay

MESSAGES = Dialect(
    name="messages",
    path="/messages",
    terminators=(
        b'"type":"message_stop"}\n\n',
        b'"type": "message_stop"}\n\n',
        b'"type":"message_stop"}\r\n\r\n',
    ),
    ping=PING,
    check=request_in.check_fields,
    read_prompt=request_in.read_prompt,
    write_prompt=request_out.write_prompt,
    read_message=read_message,
    write_message=write_message,
    reader=MessagesReader,
    writer=MessagesWriter,
    summarize=errors.summarize,
    find_answer_texts=find_answer_texts,
    is_complete=errors.is_complete,
    stream_error=errors.stream_error,
    read_error=errors.read_error,
    write_error=errors.write_error,
    write_error_event=errors.write_error_event,
    error_status=errors.error_status,
    adapt_request=strip_sealed_reasoning,
    relay=Relay.of,
)
