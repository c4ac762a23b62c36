from pathlib import Path

import msgspec
import pytest

from gateway.call import Call
from gateway.config.faults import ConfigError
from gateway.config.load import Config, Profile, Source
from gateway.errors import NotFound
from gateway.plugin import Runtime
from gateway.reply import Reply
from middleware.alias import MAX_CACHED_MODELS, Alias
from tests.admin.house import CHAT, before
from tests.fakes import calls
from tests.fakes.calls import NamedProvider
from tests.fakes.upstream import Stall


def bound(runtime: Runtime, **options: bool) -> Alias:
    alias = Alias(**options)
    alias.bind(runtime)
    return alias


def ways(alias: Alias, model: str) -> list[str]:
    return [str(target) for target in alias.resolve(model).targets]


SITE = calls.runtime(
    "openai",
    "anthropic",
    providers={
        "openrouter": NamedProvider(slash_ids=True, aliases={"cheap": "vendor/small"}),
        "local": NamedProvider(model_ids=["llama3"], aliases={"cheap": "tiny"}),
    },
    aliases={
        "fast": ["openai:gpt-mini"],
        "big": ["anthropic:opus", "openrouter:anthropic/opus"],
        "haiku": ["fast"],
        "gpt-4": ["openai:gpt-4"],
    },
    default="openai",
)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", ["openai:gpt-5"]),  # the default provider
        ("anthropic:claude-x", ["anthropic:claude-x"]),
        ("anthropic/claude-x", ["anthropic:claude-x"]),
        ("unknown/claude-x", ["openai:unknown/claude-x"]),
        ("openrouter:anthropic/claude-x", ["openrouter:anthropic/claude-x"]),
        ("llama3", ["local:llama3"]),  # an exact id of a provider
        ("fast", ["openai:gpt-mini"]),
        ("FAST", ["openai:gpt-mini"]),
        ("my_fast-model", ["openai:gpt-mini"]),  # contains an alias
        ("big", ["anthropic:opus", "openrouter:anthropic/opus"]),  # in order
        ("claude-haiku-4", ["openai:gpt-mini"]),  # alias of an alias
        ("!fast", ["openai:fast"]),  # literal
        ("!local:cheap", ["local:cheap"]),
        ("local:cheap", ["local:tiny"]),  # the provider's own alias
        ("openrouter:cheap", ["openrouter:vendor/small"]),
        ("cheap", ["local:tiny"]),  # by the name of the provider
        ("gpt-4", ["openai:gpt-4"]),  # an alias that names itself
    ],
)
def test_a_models_way(model: str, expected: list[str]) -> None:
    assert ways(bound(SITE), model) == expected


def test_the_longest_contained_alias_wins() -> None:
    runtime = calls.runtime("a", aliases={"son": ["a:1"], "sonnet": ["a:2"]}, default="a")
    assert ways(bound(runtime), "claude-sonnet-5") == ["a:2"]


def test_contained_aliases_can_be_off() -> None:
    assert ways(bound(SITE, substrings=False), "my-fast-model") == ["openai:my-fast-model"]


def test_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(NotFound) as caught:
        bound(SITE).resolve("opnai:gpt-5")
    assert caught.value.message == (
        'Unknown provider "opnai". Configured providers: anthropic, local, openai, openrouter. '
        'Did you mean "openai"?'
    )
    assert caught.value.code == "model_not_found"


def test_without_a_default_an_unknown_model_names_what_there_is() -> None:
    alias = bound(calls.runtime("a", "b", aliases={"fast": ["a:x"]}))
    with pytest.raises(NotFound, match=r"Providers: a, b\. Aliases: fast\."):
        alias.resolve("gpt-5")


@pytest.mark.parametrize(
    "aliases",
    [
        {"one": ["two"], "two": ["one"]},
        {"one": ["two"], "two": ["three"], "three": ["one"]},
        {"one": ["nowhere:x"]},
    ],
)
def test_a_cycle_or_an_unknown_target_is_an_error_of_the_configuration(
    aliases: dict[str, list[str]],
) -> None:
    with pytest.raises(ConfigError):
        bound(calls.runtime("a", aliases=aliases))


def test_explain_tells_every_step() -> None:
    assert bound(SITE).resolve("claude-haiku-4").steps == (
        '"claude-haiku-4" is alias "haiku" for fast',
        '"fast" is alias "fast" for openai:gpt-mini',
        '"openai:gpt-mini" names provider "openai"',
    )


async def test_the_call_goes_on_with_its_targets_and_made_up_names_do_not_pile_up() -> None:
    alias = bound(SITE)
    passed: list[Call] = []

    async def next(call: Call) -> Reply:
        passed.append(call)
        return calls.make_reply()

    await alias(calls.make_call({"model": "big"}), next)
    assert [str(target) for target in passed[0].targets] == [
        "anthropic:opus",
        "openrouter:anthropic/opus",
    ]
    assert passed[0].target == passed[0].targets[0]
    for number in range(MAX_CACHED_MODELS + 10):
        await alias(calls.make_call({"model": f"x{number}"}), next)
    assert len(alias._resolved) <= MAX_CACHED_MODELS


def test_the_shipped_names_are_not_found_inside_other_names() -> None:
    runtime = calls.runtime("openai", aliases={"small": ["openai:gpt-5-mini"]}, default="openai")
    assert ways(bound(runtime), "small") == ["openai:gpt-5-mini"]
    assert ways(bound(runtime), "text-embedding-3-small") == ["openai:text-embedding-3-small"]
    own = calls.runtime("openai", aliases={"small": ["openai:o9-tiny"]}, default="openai")
    assert ways(bound(own), "my-small-model") == ["openai:o9-tiny"]


def grouped(profiles: dict[str, Profile], default: str = "", **sources: str) -> Runtime:
    """The usual site with profiles; the origins of options by their path, dots as "__"."""
    runtime = calls.runtime(
        "openai",
        providers={
            "zai": NamedProvider(
                aliases={
                    "haiku": "glm-flash",
                    "free": "vendor/m:free",
                    "same": "same",
                    "opus": "claude-opus-5",
                }
            ),
        },
        aliases={"fast": ["openai:gpt-mini"], "small": ["openai:nano"], "viahaiku": ["zai:haiku"]},
        default="openai",
    )
    config: Config = msgspec.structs.replace(
        runtime.config,
        profiles=profiles,
        routing=msgspec.structs.replace(runtime.config.routing, default_profile=default),
        source=Source(origins={path.replace("__", "."): each for path, each in sources.items()}),
    )
    return Runtime(config, runtime.providers, runtime.seal)


CODE = {
    "Code": Profile(
        aliases={
            "haiku": ["zai:haiku"],
            "deep": ["mid", "openai:gpt-5"],
            "mid": ["zai:glm"],
            "out": ["fast"],
            "fast": ["openai:gpt-code"],
            "other": ["plain:deep"],
        },
        timeout=7,
    ),
    "plain": Profile(aliases={"deep": ["openai:o"]}),
}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Code:haiku", [("zai:glm-flash", 7)]),  # on to the provider's own alias
        ("code:HAIKU", [("zai:glm-flash", 7)]),
        ("code:claude-haiku-4", [("zai:glm-flash", 7)]),
        ("code:deep", [("zai:glm", 7), ("openai:gpt-5", 7)]),  # an alias of the same profile
        ("code:out", [("openai:gpt-code", 7)]),
        ("code:other", [("openai:o", 7)]),  # the profile that was asked gives the time
        ("code:viahaiku", [("zai:glm-flash", 7)]),  # no alias of its own: the general one
        ("code:gpt-5", [("openai:gpt-5", 7)]),
        ("code:zai:x", [("zai:x", 7)]),
        ("code:!fast", [("openai:fast", 7)]),
        ("plain:deep", [("openai:o", None)]),
        ("fast", [("openai:gpt-mini", None)]),
        ("zai:free", [("zai:vendor/m:free", None)]),  # a colon does not make a provider
        ("zai:same", [("zai:same", None)]),
        ("zai:opus", [("zai:claude-opus-5", None)]),  # what it leads to contains it
        ("opus-4", [("zai:claude-opus-5", None)]),
    ],
)
def test_a_profile_has_aliases_and_a_time(
    model: str, expected: list[tuple[str, float | None]]
) -> None:
    targets = bound(grouped(CODE)).resolve(model).targets
    assert [(str(target), target.timeout) for target in targets] == expected


def test_the_steps_name_the_profile() -> None:
    assert bound(grouped(CODE)).resolve("code:mid").steps == (
        '"mid" is asked of profile "code", whose calls have 7 s',
        '"mid" is alias "mid" for zai:glm',
        '"zai:glm" names provider "zai"',
    )


def test_models_without_a_prefix_are_asked_of_the_default_profile() -> None:
    alias = bound(grouped(CODE, "CODE"))
    assert ways(alias, "fast") == ["openai:gpt-code"]
    assert ways(alias, "!fast") == ["openai:fast"]
    assert alias.resolve("zai:haiku").targets[0].timeout is None
    assert alias.resolve("nano").targets[0].timeout == 7


def test_an_empty_name_in_a_profile_leads_nowhere() -> None:
    with pytest.raises(NotFound):
        bound(grouped(CODE)).resolve("code:")


def test_profiles_that_lead_to_each_other_are_refused() -> None:
    circle = {
        "a": Profile(aliases={"x": ["b:x"]}),
        "b": Profile(aliases={"x": ["a:x"]}),
    }
    with pytest.raises(ConfigError) as raised:
        bound(grouped(circle))
    assert [fault.path for fault in raised.value.faults] == [
        "profiles.a.aliases.x",
        "profiles.b.aliases.x",
    ]


def test_a_word_from_a_variable_is_no_part_of_other_names() -> None:
    assert ways(bound(grouped({})), "mistral-small") == ["openai:nano"]
    told = {"aliases__small": "env ANTHROPIC_SMALL_FAST_MODEL"}
    alias = bound(grouped({}, **told))
    assert ways(alias, "mistral-small") == ["openai:mistral-small"]
    assert ways(alias, "small") == ["openai:nano"]


async def test_the_time_of_a_profile_ends_its_calls(tmp_path: Path) -> None:
    more = "[profiles.quick]\ntimeout = 0.1\n"
    more += "".join(f'[[middleware]]\nuse = "{name}"\n' for name in ("auth", "alias", "convert"))
    async with before(tmp_path, lambda _: [Stall()], more=more) as (opened, _):
        sent = await opened.post(CHAT | {"model": "quick:gpt-4o"})
    assert sent.status == 504
    assert "first_byte" in sent.body.decode()
