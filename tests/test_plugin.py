"""Dotted paths, and plugins of a third party from a folder of their own in a running gateway."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.capability.record import Capability
from gateway.dialect import Dialect as Format
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.plugin import LoadError, Middleware, Provider, load
from tests.fakes import calls
from tests.fakes.client import RawClient
from tests.fakes.running import run_gateway
from tests.faults.wires import BOTH, PATHS, Dialect, ask, received, request

STAMP = '''
"""A link and a provider that know the gateway's public names only."""

from msgspec.structs import replace

from gateway import Call, Middleware, Next, Provider, Reply, Stream
from gateway.dialects.chat import CHAT


class Stamp(Middleware):
    """Marks calls on their way in and answers on their way out."""

    word: str = "stamped"

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.record.warnings.append(f"{self.word} in")
        stamp = (b"x-stamp", self.word.encode())
        reply = await next(replace(call, headers=[*call.headers, stamp]))
        return Reply(
            reply.status, reply.dialect, reply.body,
            [*reply.headers, stamp], reply.error,
        )


class Once:
    def __init__(self, *chunks):
        self.chunks = list(chunks)

    async def read(self):
        return self.chunks.pop(0) if self.chunks else b""

    async def aclose(self):
        self.chunks.clear()


class Parrot(Provider):
    """Says what the stamp says."""

    suffix: str = "!"

    @property
    def dialects(self):
        return (CHAT,)

    async def __call__(self, call: Call) -> Reply:
        said = b'"' + call.header(b"x-stamp") + self.suffix.encode() + b'"'
        if call.stream:
            data = (
                b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"p",'
                b'"choices":[{"index":0,"delta":{"content":' + said + b'},"finish_reason":"stop"}]}'
            )
            return Reply(200, CHAT, Stream(Once(data + b"\\n\\n", b"data: [DONE]\\n\\n")))
        return Reply(200, CHAT, (
            b'{"id":"1","object":"chat.completion","created":1,"model":"p","choices":[{"index":0,'
            b'"message":{"role":"assistant","content":' + said + b'},"finish_reason":"stop"}]}'
        ))


class Plain:
    """Neither."""


number = 3
'''
CONFIG = """
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "thirdparty.stamp:Stamp"
word = "chirp"
[[middleware]]
use = "convert"

[providers.bird]
use = "thirdparty.stamp:Parrot"
suffix = "?"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the package `thirdparty`."""
    package = tmp_path / "elsewhere" / "thirdparty"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "stamp.py").write_text(STAMP)
    (package / "broken.py").write_text("raise RuntimeError('at import')\n")
    (package / "needs.py").write_text("import a_module_that_is_nowhere\n")
    (package / "lacks.py").write_text("from gateway import NoSuchName\n")
    return package.parent


@pytest.fixture
def importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(folder))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "thirdparty"]:
        del sys.modules[name]


@pytest.mark.usefixtures("importable")
def test_a_dotted_path_leads_to_its_class() -> None:
    assert issubclass(load("thirdparty.stamp:Stamp"), Middleware)
    assert issubclass(load("thirdparty.stamp:Parrot"), Provider)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("thirdparty", '"thirdparty" must have the form "package.module:Class"'),
        (":Stamp", '":Stamp" must have the form "package.module:Class"'),
        ("thirdparty.stamp:", '"thirdparty.stamp:" must have the form "package.module:Class"'),
        ("nowhere.stamp:Stamp", 'no module named "nowhere"'),
        ("thirdparty.nowhere:Stamp", 'no module named "thirdparty.nowhere"'),
        ("thirdparty.stamp:Nobody", '"thirdparty.stamp" has no class "Nobody"'),
        ("thirdparty.stamp:number", '"thirdparty.stamp" has no class "number"'),
        (
            "thirdparty.needs:Stamp",
            'importing "thirdparty.needs" failed: no module named "a_module_that_is_nowhere"',
        ),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path: str, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(path)
    assert str(caught.value) == message


@pytest.mark.usefixtures("importable")
def test_an_import_that_fails_is_told_apart_from_one_that_is_not_there() -> None:
    with pytest.raises(
        LoadError, match=r'importing "thirdparty\.lacks" failed: cannot import name'
    ):
        load("thirdparty.lacks:Stamp")
    with pytest.raises(RuntimeError, match="at import"):
        load("thirdparty.broken:Stamp")


async def test_the_base_classes_do_nothing_by_themselves() -> None:
    call = calls.make_call()

    async def last(_: object) -> object:
        raise AssertionError

    with pytest.raises(NotImplementedError):
        await Middleware()(call, last)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        await Provider()(call)
    with pytest.raises(NotImplementedError):
        _ = Provider().dialects
    async with Middleware().running(), Provider().running():
        pass
    assert Provider().capability("m").stop_max == 4


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_plugins_of_another_folder_take_effect_in_a_running_gateway(
    folder: Path, tmp_path: Path, streamed: bool
) -> None:
    async with run_gateway(tmp_path, CONFIG, {"PYTHONPATH": str(folder)}) as running:
        for dialect in BOTH:
            answer = await ask(running.port, dialect, "bird:p", stream=streamed)
            assert (answer.status, answer.text) == (200, "chirp?")
            assert answer.headers[b"x-stamp"] == b"chirp"
            assert answer.headers[b"x-gateway-provider"] == b"bird"
        await _warned(running.port, "chat")
        assert "Traceback" not in running.log


async def _warned(port: int, dialect: Dialect) -> None:
    async with RawClient(port) as client:
        await client.post(PATHS[dialect], request(dialect, "bird:p", stream=False))
        answer = await received(client, dialect)
    assert answer.headers[b"x-gateway-warnings"] == b"chirp in"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stamp:Stamp", "stamp:Plain", 'is not derived from gateway.Middleware'),
        ("stamp:Parrot", "stamp:Stamp", 'is not derived from gateway.Provider'),
        ("stamp:Stamp", "broken:Stamp", "RuntimeError: at import"),
        ('word = "chirp"', "word = 3", "middleware[2].word"),
        ('word = "chirp"', 'wrod = "chirp"', "wrod"),
    ],
)  # fmt: skip
async def test_a_plugin_that_cannot_be_used_keeps_the_gateway_from_starting(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(AssertionError, match="did not start") as caught:
        async with run_gateway(tmp_path, CONFIG.replace(old, new), {"PYTHONPATH": str(folder)}):
            pass
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        ((), (CHAT, RESPONSES)),
        (("responses",), (RESPONSES,)),
        (("responses", "chat"), (RESPONSES, CHAT)),
        (("messages", "chat"), (CHAT,)),
        (("messages",), (CHAT, RESPONSES)),
    ],
)
def test_a_target_speaks_what_serves_its_model(
    serving: tuple[Any, ...], expected: tuple[Format, ...]
) -> None:
    class Speaking(calls.NamedProvider):
        @property
        def dialects(self) -> tuple[Format, ...]:
            return (CHAT, RESPONSES)

        def capability(self, model: str) -> Capability:
            return Capability(dialects=serving if model == "special" else ())

    runtime = calls.runtime(providers={"p": Speaking()})
    assert runtime.target("p", "special").dialects == expected
    assert runtime.target("p", "usual").dialects == (CHAT, RESPONSES)
