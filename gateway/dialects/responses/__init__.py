"""The OpenAI Responses dialect (`POST /v1/responses`)."""

from gateway.dialect import Dialect
from gateway.dialects.responses import errors, lane, request_in
from gateway.dialects.responses.digest import digest
from gateway.dialects.responses.message_in import read_message
from gateway.dialects.responses.message_out import write_message
from gateway.dialects.responses.reader import ResponsesReader
from gateway.dialects.responses.request_out import write_prompt
from gateway.dialects.responses.wire import NAME
from gateway.dialects.responses.writer import PING, ResponsesWriter

RESPONSES = Dialect(
    name=NAME,
    path="/responses",
    ping=PING,
    check=request_in.check,
    read_prompt=request_in.read_prompt,
    write_prompt=write_prompt,
    read_message=read_message,
    write_message=write_message,
    reader=ResponsesReader,
    writer=ResponsesWriter,
    digest=digest,
    whole=errors.whole,  # the last event ends with the whole response, in any spelling
    stream_error=errors.stream_error,
    says_nothing=errors.says_nothing,
    read_error=errors.read_error,
    write_error=errors.write_error,
    write_error_event=errors.write_error_event,
    error_status=errors.error_status,
    told_in_stream=errors.told_in_stream,
    fitted=lane.fitted,
    relay=lane.ResponsesRelay.of,
)
