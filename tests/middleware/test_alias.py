import pytest

from gateway.call import Call
from gateway.errors import NotFound
from gateway.faults import ConfigError
from gateway.plugin import Site
from gateway.reply import Reply
from middleware.alias import REMEMBERED, Alias
from tests.fakes import calls
from tests.fakes.calls import Named


def bound(site: Site, **options: bool) -> Alias:
    alias = Alias(**options)
    alias.bind(site)
    return alias


def ways(alias: Alias, model: str) -> list[str]:
    return [str(target) for target in alias.resolve(model).targets]


SITE = calls.site(
    "openai",
    "anthropic",
    providers={
        "openrouter": Named(slash_ids=True, aliases={"cheap": "vendor/small"}),
        "local": Named(model_ids=["llama3"], aliases={"cheap": "tiny"}),
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
    site = calls.site("a", aliases={"son": ["a:1"], "sonnet": ["a:2"]}, default="a")
    assert ways(bound(site), "claude-sonnet-5") == ["a:2"]


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
    alias = bound(calls.site("a", "b", aliases={"fast": ["a:x"]}))
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
        bound(calls.site("a", aliases=aliases))


def test_explain_tells_every_step() -> None:
    assert bound(SITE).explain("claude-haiku-4") == [
        '"claude-haiku-4" is alias "haiku" for fast',
        '"fast" is alias "fast" for openai:gpt-mini',
        '"openai:gpt-mini" names provider "openai"',
    ]


async def test_the_call_goes_on_with_its_targets_and_made_up_names_do_not_pile_up() -> None:
    alias = bound(SITE)
    passed: list[Call] = []

    async def next(call: Call) -> Reply:
        passed.append(call)
        return calls.ok()

    await alias(calls.call({"model": "big"}), next)
    assert [str(target) for target in passed[0].targets] == [
        "anthropic:opus",
        "openrouter:anthropic/opus",
    ]
    assert passed[0].target == passed[0].targets[0]
    for number in range(REMEMBERED + 10):
        await alias(calls.call({"model": f"x{number}"}), next)
    assert len(alias._known) <= REMEMBERED


def test_the_shipped_names_are_not_found_inside_other_names() -> None:
    site = calls.site("openai", aliases={"small": ["openai:gpt-5-mini"]}, default="openai")
    assert ways(bound(site), "small") == ["openai:gpt-5-mini"]
    assert ways(bound(site), "text-embedding-3-small") == ["openai:text-embedding-3-small"]
    own = calls.site("openai", aliases={"small": ["openai:o9-tiny"]}, default="openai")
    assert ways(bound(own), "my-small-model") == ["openai:o9-tiny"]
