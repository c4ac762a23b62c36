"""The walk over raw tables: every kind of field, every fault."""

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.config.decode import Decoder, EnvText, join, unquoted
from gateway.config.size import Size
from gateway.secret import Secret


class Nested(Struct):
    """A struct that allows what it does not know; the walk does not."""

    size: Size = Size(1)


class Options(Struct):
    """All kinds of fields."""

    one: Literal["a", "b"] = "a"
    some: Annotated[list[int], Meta(max_length=2)] = []
    places: tuple[int, ...] = ()
    pair: tuple[int, str] = (1, "x")
    tags: set[str] = set()
    maybe: Nested | None = None
    inner: dict[str, Nested] = {}
    either: int | str = 0
    secrets: dict[str, Secret] = {}

    def __post_init__(self) -> None:
        if self.either == 13:
            raise ValueError("either must not be 13")


class TestReading:
    def test_it_reads_every_kind_of_field(self) -> None:
        raw = {
            "some": [1],
            "places": [1, 2],
            "pair": [1, "y"],
            "tags": ["a", "a"],
            "maybe": {"size": "2k"},
            "inner": {"x": {"size": 3}},
            "either": "t",
            "secrets": {"a": "env:A"},
        }
        reading = Decoder({"A": "s"})
        made = reading.struct(raw, Options, "")
        assert not reading.faults
        assert made == Options(
            some=[1],
            places=(1, 2),
            pair=(1, "y"),
            tags={"a"},
            maybe=Nested(size=Size(2048)),
            inner={"x": Nested(size=Size(3))},
            either="t",
            secrets={"a": Secret("s")},
        )

    def test_it_finds_a_fault_in_every_kind_of_field(self) -> None:
        raw: dict[str, Any] = {
            "one": "c",
            "some": [1, 2, 3],
            "places": ["x", 2, "y"],
            "pair": [1],
            "tags": 5,
            "maybe": {"sise": 1},
            "inner": {"x": {"size": -3}, "y.z": 4},
            "either": 1.5,
            "secrets": {"a": 1},
        }
        reading = Decoder({})
        reading.struct(raw, Options, "top")
        assert [str(fault) for fault in reading.faults] == [
            'top.one: expected one of "a", "b"',
            "top.some: expected a list of a length of at most 2",
            "top.places[0]: expected a whole number, got text",
            "top.places[2]: expected a whole number, got text",
            "top.pair: expected a list of length 2, got 1",
            "top.tags: expected a list, got a whole number",
            'top.maybe.sise: there is no such option (did you mean "size"?)',
            (
                'top.inner.x.size: expected a size, in bytes or as a text such as "64MiB", '
                "got a negative number"
            ),
            'top.inner."y.z": expected a table, got a whole number',
            "top.either: expected a whole number or text, got a number",
            "top.secrets.a: expected a key as text",
        ]

    def test_what_a_struct_says_of_itself_is_a_fault(self) -> None:
        reading = Decoder({})
        assert reading.struct({"either": 13}, Options, "top") is None
        assert [str(fault) for fault in reading.faults] == ["top: either must not be 13"]

    def test_a_struct_with_a_required_fault_is_not_made(self) -> None:
        reading = Decoder({})
        assert reading.struct({"name": 3}, Needed, "top") is None
        assert reading.struct({}, Needed, "top") is None
        assert [str(fault) for fault in reading.faults] == [
            "top.name: expected text, got a whole number",
            'top: "name" is missing; it must be given',
        ]

    def test_the_names_of_a_file_are_those_of_the_class_for_it(self) -> None:
        assert Decoder({}).struct({"the-name": "x"}, Renamed, "") == Renamed(the_name="x")

    def test_keys_come_from_variables_and_files(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("f1\nf2\n")
        reading = Decoder({"TWO": "v1 v2"})
        raw = {"several": ["env:TWO", f"file:{tmp_path}/key", "!PASSTHRU"], "either": "${TWO}"}
        made = reading.struct(raw, Keys, "")
        assert made is not None
        assert [key.reveal() for key in made.several] == ["v1", "v2", "f1", "f2", "!PASSTHRU"]
        assert made.either == [Secret("v1"), Secret("v2")]
        assert not reading.faults + reading.warnings + reading.missing

    def test_what_is_no_key_is_a_fault(self) -> None:
        reading = Decoder({})
        reading.struct({"several": {"a": 1}, "either": 5}, Keys, "")
        reading.struct({"several": [5], "either": ["env:", "a${B}"]}, Keys, "")
        alone = 'a key is written as "env:NAME", "file:/path" or "${NAME}", alone'
        assert [str(fault) for fault in reading.faults] == [
            "several: expected a key as text",
            "either: expected a key as text",
            "several[0]: expected a key as text",
            f"either[0]: {alone}",
            f"either[1]: {alone}",
        ]

    def test_a_type_that_cannot_be_read_is_a_fault(self) -> None:
        reading = Decoder({})
        reading.struct({"size": 1}, Odd, "")
        assert "is not supported" in str(reading.faults[0])

    def test_what_is_missing_is_no_fault_yet(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\n")
        raw = {"several": ["env:NONE", f"file:{tmp_path}/empty"], "either": f"file:{tmp_path}/no"}
        reading = Decoder({})
        assert reading.struct(raw, Keys, "top") == Keys()
        assert reading.faults == []
        assert reading.lost == ["top.several", "top.either"]
        assert [str(fault).replace(str(tmp_path), "") for fault in reading.missing] == [
            "top.several[0]: the environment variable NONE is not set",
            "top.several[1]: /empty is empty",
            "top.either: cannot read /no: No such file or directory",
        ]

    def test_a_loose_text_is_what_its_field_is(self) -> None:
        raw = {"one": "b", "some": "1, 2", "either": "5", "pair": '[3, "z"]', "tags": "x,y"}
        reading = Decoder({})
        made = reading.struct({name: EnvText(text) for name, text in raw.items()}, Options, "")
        assert reading.faults == []
        assert made == Options(one="b", some=[1, 2], either="5", pair=(3, "z"), tags={"x", "y"})


class Needed(Struct):
    """One field, and it must be given."""

    name: str


class Odd(Struct):
    """A field of a type that msgspec does not take."""

    size: Size | int = 0


class Renamed(Struct, rename="kebab"):
    """A field with another name in files."""

    the_name: str = ""


class Keys(Struct):
    """Keys in all the ways a plugin may ask for them."""

    several: list[Secret] = []
    either: Secret | list[Secret] | None = None


def test_a_path_quotes_what_is_no_bare_key() -> None:
    assert join(join(join("", "a"), "b.c"), 2) == 'a."b.c"[2]'


def test_a_text_that_is_no_toml_is_a_list_by_commas() -> None:
    assert unquoted(EnvText("[1, 2]")) == [1, 2]
    assert unquoted(EnvText("a, b,")) == ["a", "b"]
