from gateway.call import Call
from gateway.plugin import Middleware, Next, chain
from gateway.reply import Reply
from tests.fakes import calls


class Mark(Middleware):
    """Writes down when it is passed, both ways."""

    name: str
    stops: bool = False

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.record.warnings.append(f"{self.name} in")
        if self.stops:
            return calls.make_reply(b"stopped")
        reply = await next(call)
        call.record.warnings.append(f"{self.name} out")
        return reply


async def last(call: Call) -> Reply:
    call.record.warnings.append("last")
    return calls.make_reply()


async def test_a_call_passes_the_links_in_order_and_its_answer_backwards() -> None:
    call = calls.make_call()
    await chain([Mark(name="a"), Mark(name="b")], last)(call)
    assert call.record.warnings == ["a in", "b in", "last", "b out", "a out"]


async def test_a_link_that_answers_keeps_the_call_from_the_rest() -> None:
    call = calls.make_call()
    reply = await chain([Mark(name="a"), Mark(name="b", stops=True), Mark(name="c")], last)(call)
    assert reply.body == b"stopped"
    assert call.record.warnings == ["a in", "b in", "a out"]


async def test_no_link_at_all_is_the_last_alone() -> None:
    assert chain([], last) is last


async def test_one_chain_serves_many_calls() -> None:
    serve = chain([Mark(name="a")], last)
    first, second = calls.make_call(), calls.make_call()
    await serve(first)
    await serve(second)
    assert first.record.warnings == second.record.warnings == ["a in", "last", "a out"]


class Again(Middleware):
    """Calls the rest twice."""

    async def __call__(self, call: Call, next: Next) -> Reply:
        await next(call)
        return await next(call)


async def test_a_link_may_call_the_rest_more_than_once() -> None:
    call = calls.make_call()
    await chain([Again(), Mark(name="a")], last)(call)
    assert call.record.warnings == ["a in", "last", "a out"] * 2
