"""The OpenAI Responses dialect (`POST /v1/responses`)."""

from gateway.dialect import Dialect
from gateway.dialects.responses import errors, request_in, same_dialect as lane
from gateway.dialects.responses.answer_texts import find_answer_texts
from gateway.dialects.responses.digest import summarize
from gateway.dialects.responses.message_in import read_message
from gateway.dialects.responses.message_out import write_message
from gateway.dialects.responses.reader import ResponsesReader
from gateway.dialects.responses.request_out import write_prompt
from gateway.dialects.responses.wire import DIALECT_NAME
from gateway.dialects.responses.writer import PING, ResponsesWriter

RESPONSES = Dialect(
    name=DIALECT_NAME,
    path="/responses",
    ping=PING,
    check=request_in.check_fields,
    read_prompt=request_in.read_prompt,
    write_prompt=write_prompt,
    read_message=read_message,
    write_message=write_message,
    reader=ResponsesReader,
    writer=ResponsesWriter,
    summarize=summarize,
    find_answer_texts=find_answer_texts,
    is_complete=errors.is_complete,  # the last event ends with the whole response, in any spelling
    stream_error=errors.stream_error,
    is_preamble=errors.is_preamble,
    read_error=errors.read_error,
    write_error=errors.write_error,
    write_error_event=errors.write_error_event,
    error_status=errors.error_status,
    error_as_event=errors.error_as_event,
    adapt_request=lane.adapt_request,
    relay=lane.ResponsesRelay.of,
)
