"""The Gemini dialect (`POST /models/{model}:generateContent` and `:streamGenerateContent`).

On the wire the model and whether to stream stand in the URL. Inside the gateway a Gemini call's
fields carry both as the pseudo-members `model` and `stream`, which no body ever shows.
"""

from gateway.dialect import Dialect
from gateway.dialects.gemini import errors, errors_out, request_in
from gateway.dialects.gemini.answer_texts import find_answer_texts
from gateway.dialects.gemini.message_in import read_message
from gateway.dialects.gemini.message_out import write_message
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.request_out import write_prompt
from gateway.dialects.gemini.wire import NAME
from gateway.dialects.gemini.writer import PING, GeminiWriter

GEMINI = Dialect(
    name=NAME,
    path="/models",  # the provider adds the model and the method
    ping=PING,
    check=request_in.check,
    read_prompt=request_in.read_prompt,
    write_prompt=write_prompt,
    read_message=read_message,
    write_message=write_message,
    reader=GeminiReader,
    writer=GeminiWriter,
    summarize=errors.summarize,
    find_answer_texts=find_answer_texts,
    is_complete=errors.is_complete,
    late_errors=True,
    stream_error=errors.stream_error,
    read_error=errors.read_error,
    write_error=errors_out.write_error,
    write_error_event=errors_out.write_error_event,
    error_status=errors_out.error_status,
)
