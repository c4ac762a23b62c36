"""What an operator changes of the capability table."""

from pathlib import Path

import pytest

from gateway.assemble import try_assemble
from gateway.capability.record import Capability
from gateway.plugin import Provider
from tests.configs import faults, loaded

FILE = """
[server]
discover = false
[providers.openai]
api_key = "sk-x"
capabilities = { stop_max = 2, context = 5 }
[providers.openai.models."gpt-5*|o4*"]
stop_max = 1
effort = ["low"]
[providers.openai.models."GPT-5-mini"]
stop_max = 3
"""


def provider(folder: Path, text: str = FILE) -> Provider:
    return try_assemble(loaded(folder, text)).runtime.providers["openai"]


@pytest.mark.parametrize(
    ("model", "stops", "effort"),
    [
        ("gpt-4o", 2, ()),
        ("gpt-5", 1, ("low",)),
        ("o4-mini", 1, ("low",)),
        ("gpt-5-mini", 3, ("low",)),  # the last pattern that fits wins, letter case aside
    ],
)
def test_patterns_refine_what_holds_for_the_provider(
    tmp_path: Path, model: str, stops: int, effort: tuple[str, ...]
) -> None:
    found = provider(tmp_path).capability(model)
    assert isinstance(found, Capability)
    assert (found.stop_max, found.effort, found.context) == (stops, effort, 5)


def test_check_names_the_place_and_the_nearest_name(tmp_path: Path) -> None:
    text = FILE + 'efort = ["low"]\ncache = "breakpoint"\ncontext = "long"\n'
    assert faults(tmp_path, text) == [
        (
            "config.toml:12:1: providers.openai.models.GPT-5-mini.efort: there is no such option "
            '(did you mean "effort"?)'
        ),
        (
            'config.toml:13:1: providers.openai.models.GPT-5-mini.cache: expected one of "none", '
            '"breakpoints", "cache_control" (did you mean "breakpoints"?)'
        ),
        (
            "config.toml:14:1: providers.openai.models.GPT-5-mini.context: "
            "expected a whole number, got text"
        ),
    ]


def test_check_names_what_is_wrong_for_the_whole_provider(tmp_path: Path) -> None:
    text = FILE.replace("stop_max = 2", "stop_mx = 2")
    assert faults(tmp_path, text) == [
        (
            "config.toml:6:18: providers.openai.capabilities.stop_mx: there is no such option "
            '(did you mean "stop_max"?)'
        ),
    ]
