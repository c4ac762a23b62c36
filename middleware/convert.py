"""From the client's dialect to the target's and back: the only place where one becomes another."""

from time import perf_counter

import msgspec

from gateway.call import Call, Headers, Record, Target
from gateway.counting.families import load_families
from gateway.counting.local_usage import add_local_usage
from gateway.dialect import Conversion, Dialect, Fields
from gateway.dialects.common.ratelimits import translated
from gateway.dialects.common.signatures import signatures_for_call
from gateway.errors import InvalidRequest, NotFound
from gateway.lanes.recode import Transcoder
from gateway.lanes.step import Step
from gateway.neutral.events import Message
from gateway.neutral.fold import message_events
from gateway.neutral.notes import LossReport
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import BytesSource, Prepended, Reply, Stream

BYTES_PER_TOKEN = 4


class Convert(Middleware):
    """Leaves a call alone where the target speaks its dialect, else converts it and its answer."""

    strict: bool | None = None
    """Refuse what would be lost instead of warning of it; unset: as [server] strict says."""

    def bind(self, runtime: Runtime) -> None:
        """Takes the seal for reasoning that crosses dialects."""
        self._runtime = runtime
        self._seal = runtime.seal
        load_families()  # here, because no stream may read a disk on the loop
        self._strict = runtime.config.server.strict if self.strict is None else self.strict

    async def __call__(self, call: Call, next: Next) -> Reply:
        """The answer, in the dialect that the client speaks."""
        target = call.target
        assert target is not None
        call.record.tell = None  # that of an earlier attempt knows another answer
        call.record.relayed = ""
        if call.dialect in target.dialects or target.takes(call.dialect):
            ours = call.dialect.adapt_request(call, target.capability, self._seal)
            return self._relay_reply(call, await next(ours.with_model(target.model)))
        if not call.dialect.convertible:
            raise self._make_not_found(call.dialect, target)
        began = perf_counter()
        notes = LossReport(strict=self._strict)
        theirs = target.dialects[0]
        extras: Fields = {}
        asked = call
        if not call.fields.keys().isdisjoint(target.capability.extras):
            extras, own = _split_extras(call.fields, target.capability.extras)
            asked = call.in_dialect(call.dialect, own)
        conversion = self._make_conversion(asked, target, notes)
        fields = extras | theirs.write_prompt(conversion)
        call.record.convert += perf_counter() - began
        call.record.warnings = notes.entries
        answer = self._convert_reply(
            call, conversion, await next(call.in_dialect(theirs, fields, converted=True))
        )
        return await _await_first_chunk(answer) if theirs.late_errors else answer

    def _make_not_found(self, dialect: Dialect, target: Target) -> NotFound:
        """What a client hears that asks a provider for an endpoint that it has not."""
        runtime, what = self._runtime, dialect.name
        able = [
            name
            for name in sorted(runtime.providers)
            if runtime.target(name, target.model).takes(dialect)
        ]
        advice = f"ask one that has: {', '.join(able)}" if able else "no provider here has any"
        message = f'The provider "{target.provider}" has no {what}; {advice}'
        return NotFound(message, code="model_not_found", param="model")

    def _make_conversion(self, call: Call, target: Target, notes: LossReport) -> Conversion:
        try:
            prompt = call.dialect.read_prompt(call.fields, notes)
        except UnicodeDecodeError:  # in a member that nobody had to read before
            raise InvalidRequest("the request body is not UTF-8") from None
        signs = target.capability.thought_signatures != "none" and prompt.tools
        return Conversion(
            prompt=prompt,
            provider=target.provider,
            model=target.model,
            alias=call.model,
            capability=target.capability,
            notes=notes,
            seal=self._seal,
            input_estimate=len(b"".join(call.fields.values())) // BYTES_PER_TOKEN,
            stored=call.record.stored,
            previous=call.record.previous,
            signed=signatures_for_call(call) if signs else None,
        )

    def _relay_reply(self, call: Call, reply: Reply) -> Reply:
        if isinstance(reply.body, Stream):
            return msgspec.structs.replace(
                reply, body=reply.body.through(self._make_step(call, reply))
            )
        if call.stream and reply.status == 200:
            # The upstream answered whole although a stream was asked for.
            conversion = self._make_conversion(call, _require_target(call), LossReport())
            message = reply.dialect.read_message(reply.body, conversion)
            call.record.relayed = ""  # the answer is written anew, under another id
            return _render_as_stream(call.dialect, message, conversion, reply.headers)
        return reply

    def _make_step(self, call: Call, reply: Reply) -> Step:
        """The way of a stream in the client's own dialect: as it is, unless told otherwise."""
        target, dialect = _require_target(call), reply.dialect
        if not target.capability.recode:
            return dialect.relay(dialect, call)
        conversion = self._make_conversion(call, target, LossReport())
        return _make_transcoder(dialect, dialect, conversion, call.record)

    def _convert_reply(self, call: Call, conversion: Conversion, reply: Reply) -> Reply:
        ours, theirs, record = call.dialect, reply.dialect, call.record
        headers = translated(reply.headers, ours.name)
        if isinstance(reply.body, Stream):
            step = _make_transcoder(theirs, ours, conversion, record)
            return Reply(200, ours, reply.body.through(step), headers)
        if reply.error is not None:
            error = reply.error
            if call.stream and ours.error_as_event(error):
                told = Stream(BytesSource(ours.write_error_event(error, call.id)))
                return Reply(200, ours, told, headers, error)
            body = ours.write_error(error, call.id)
            return Reply(ours.error_status(error), ours, body, headers, error)
        began = perf_counter()
        message = theirs.read_message(reply.body, conversion)
        record.usage = message.ending.usage or record.usage
        if call.stream:
            answer = _render_as_stream(ours, message, conversion, headers)
        else:
            body = ours.write_message(message, conversion)
            answer = Reply(200, ours, body, headers)
        record.convert += perf_counter() - began
        return answer


def _make_transcoder(
    theirs: Dialect, ours: Dialect, conversion: Conversion, record: Record
) -> Transcoder:
    writer = ours.writer(conversion)
    record.tell = getattr(writer, "write_failure", None)
    return Transcoder(theirs.reader(conversion), add_local_usage(writer, conversion), record)


async def _await_first_chunk(reply: Reply) -> Reply:
    """The answer once it says something: some tell only at the end that they made a slip.

    Until then another attempt may do better.
    """
    stream = reply.body
    if not isinstance(stream, Stream):
        return reply
    try:
        first = await stream.read()
    except BaseException:
        await stream.aclose()
        raise
    return msgspec.structs.replace(reply, body=Stream(Prepended([first], stream)))


def _split_extras(fields: Fields, extras: tuple[str, ...]) -> tuple[Fields, Fields]:
    """The members that pass as they are, and the dialect's own."""
    passing = {name: raw for name, raw in fields.items() if name in extras}
    return passing, {name: raw for name, raw in fields.items() if name not in passing}


def _render_as_stream(
    ours: Dialect, message: Message, conversion: Conversion, headers: Headers
) -> Reply:
    """A whole answer as the stream that the client asked for."""
    writer = ours.writer(conversion)
    body = b"".join(writer.write(event) for event in message_events(message))
    return Reply(200, ours, Stream(BytesSource(body)), headers)


def _require_target(call: Call) -> Target:
    assert call.target is not None
    return call.target
