"""The Chat Completions dialect (`POST /chat/completions`)."""

from gateway.dialect import Dialect
from gateway.dialects.chat import errors, request_in, same_dialect as lane
from gateway.dialects.chat.answer_texts import find_answer_texts
from gateway.dialects.chat.digest import is_complete, summarize
from gateway.dialects.chat.message_in import read_message
from gateway.dialects.chat.message_out import write_message
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.chat.request_out import write_prompt
from gateway.dialects.chat.wire import NAME
from gateway.dialects.chat.writer import PING, ChatWriter
from gateway.dialects.common import openai_errors

CHAT = Dialect(
    name=NAME,
    path="/chat/completions",
    terminators=(b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n", b"data:[DONE]\n\n"),
    ping=PING,
    check=request_in.check,
    read_prompt=request_in.read_prompt,
    write_prompt=write_prompt,
    read_message=read_message,
    write_message=write_message,
    reader=ChatReader,
    writer=ChatWriter,
    summarize=summarize,
    find_answer_texts=find_answer_texts,
    is_complete=is_complete,
    usage_opt_in=True,
    stream_error=errors.stream_error,
    read_error=openai_errors.read_error,
    write_error=openai_errors.write_error,
    write_error_event=errors.write_error_event,
    error_status=openai_errors.error_status,
    adapt_request=lane.adapt_request,
    relay=lane.make_relay,
)
