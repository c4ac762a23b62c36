"""Lines and columns of options in a TOML file."""

import tomllib

import pytest

from gateway.config.positions import parent, positions, syntax_fault

TEXT = '''\
top.dotted = 1
"quoted.key" = { inner = 1, list = [1, { deep = 2 }] }
"é" = { "é" = 1, after = 2 }
[server] # a comment
  port = 1
[[middleware]]
use = "x"
[middleware.sub]
option = 1
[[middleware]] # another
# between
use = "y"
[[middleware.rules]]
model = "m"
[aliases]
"gpt-4.1" = ["x", "y" # a comment
 , "z"]
[providers."a b"]
use = """
several lines"""
after = 1
'''


class TestPositions:
    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("top", (1, 1)),
            ("top.dotted", (1, 1)),
            ('"quoted.key"', (2, 1)),
            ('"quoted.key".inner', (2, 18)),
            ('"quoted.key".list[0]', (2, 37)),
            ('"quoted.key".list[1].deep', (2, 42)),
            ('"é"."é"', (3, 9)),
            ('"é".after', (3, 18)),
            ("server", (4, 1)),
            ("server.port", (5, 3)),
            ("middleware", (6, 1)),
            ("middleware[0].use", (7, 1)),
            ("middleware[0].sub.option", (9, 1)),
            ("middleware[1]", (10, 1)),
            ("middleware[1].use", (12, 1)),
            ("middleware[1].rules[0].model", (14, 1)),
            ('aliases."gpt-4.1"', (16, 1)),
            ('aliases."gpt-4.1"[1]', (16, 19)),
            ('aliases."gpt-4.1"[2]', (17, 4)),
            ('providers."a b"', (18, 1)),
            ('providers."a b".after', (21, 1)),
        ],
    )
    def test_a_path_has_the_place_where_its_key_begins(
        self, path: str, place: tuple[int, int]
    ) -> None:
        assert positions(TEXT)[path] == place

    def test_it_knows_every_key_that_tomllib_reads(self) -> None:
        found = positions(TEXT)
        assert set(paths(tomllib.loads(TEXT), "")) <= set(found)

    def test_line_ends_of_windows_count_as_one(self) -> None:
        assert positions("a = 1\r\n\r\nb = 2\r\n") == {"a": (1, 1), "b": (3, 1)}

    def test_an_empty_file_has_none(self) -> None:
        assert positions("") == {}


def paths(value: object, at: str) -> list[str]:
    """Every path in a parsed file, by rules of its own."""
    found = [at] if at else []
    if isinstance(value, dict):
        for key, inner in value.items():
            name = key if key.replace("-", "").isascii() and key.isalnum() else f'"{key}"'
            found += paths(inner, f"{at}.{name}" if at else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            found += paths(inner, f"{at}[{place}]")
    return found


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("a.b.c", "a.b"),
        ("a[2].b", "a[2]"),
        ("a[2]", "a"),
        ('a."b.c"', "a"),
        ('a."b.c"[0]', 'a."b.c"'),
        ('"b.c"', ""),
        ("a", ""),
    ],
)
def test_the_parent_of_a_path_is_what_holds_it(path: str, above: str) -> None:
    assert parent(path) == above


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\n[s]\nb = \n", "3:5: no valid TOML: invalid value"),
        ("[s]\n[t]\n[s]\n", "3:1: this table or key stands twice: cannot declare ('s',) twice"),
        ("a = 1\na = 2\n", "2:1: this table or key stands twice: cannot overwrite a value"),
        ('a = "x', "1:7: no valid TOML: unterminated string"),
        ("a = [1,\n2", "2:2: no valid TOML: unclosed array"),
    ],
)
def test_a_syntax_fault_has_the_place_where_it_shows(text: str, said: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    fault = syntax_fault(text, caught.value)
    assert f"{fault.line}:{fault.column}: {fault.message}" == said
