import pytest

from gateway.dialects.completions import COMPLETIONS
from gateway.errors import InvalidRequest
from gateway.neutral.events import Text, Turn
from gateway.neutral.notes import LossReport
from tests.dialects.completions.house import fields, read


@pytest.mark.parametrize("prompt", ["Once upon", ["Once upon"]])
def test_the_text_is_one_user_turn(prompt: object) -> None:
    found, noted = read(prompt=prompt)
    assert found.turns == [Turn("user", [Text("Once upon")])]
    assert found.model == "m"
    assert noted == []


def test_parameters_keep_their_meaning() -> None:
    found, noted = read(
        max_tokens=40, temperature=0.5, top_p=0.9, stop=["a", "b"], user="u", n=1, stream=True,
        stream_options={"include_usage": True}, best_of=1, echo=False, suffix="", logprobs=None,
        seed=7, frequency_penalty=0.5, presence_penalty=-0.5,
    )  # fmt: skip
    assert (found.max_tokens, found.temperature, found.top_p) == (40, 0.5, 0.9)
    assert (found.stop, found.user, found.stream) == (["a", "b"], "u", True)
    assert found.include_usage
    assert (found.seed, found.frequency_penalty, found.presence_penalty) == (7, 0.5, -0.5)
    assert noted == []


@pytest.mark.parametrize("body", [{}, {"max_tokens": None}])
def test_the_default_length_is_the_apis_own(body: dict[str, object]) -> None:
    assert read(**body)[0].max_tokens == 16


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"echo": True}, "echo"), ({"suffix": " the end"}, "suffix"), ({"best_of": 3}, "best_of"),
        ({"logprobs": 2}, "logprobs"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
    ],
)  # fmt: skip
def test_what_a_chat_has_no_word_for_is_noted_and_under_strict_refused(
    body: dict[str, object], field: str
) -> None:
    assert read(**body)[1] == [f"{field}:unsupported_by_target"]
    with pytest.raises(InvalidRequest) as caught:
        COMPLETIONS.read_prompt(fields(**body), LossReport(strict=True))
    assert caught.value.param == field


@pytest.mark.parametrize(
    ("body", "param", "advice"),
    [
        ({"prompt": ["a", "b"]}, "prompt", "a request for each"),
        ({"prompt": [1, 2]}, "prompt", "no tokens"),
        ({"prompt": [[1], [2]]}, "prompt", "no tokens"),
        ({"prompt": ""}, "prompt", "needs a text"),
        ({"prompt": None}, "prompt", "needs a text"),
        ({"prompt": []}, "prompt", "needs a text"),
        ({"prompt": 7}, "prompt", "prompt"),
        ({"n": 2}, "n", "one answer"),
        ({"max_tokens": 0}, "max_tokens", "must be"),
        ({"max_tokens": 1.5}, "max_tokens", "must be"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_advice(
    body: dict[str, object], param: str, advice: str
) -> None:
    COMPLETIONS.check(fields(**body))  # a provider of the endpoint may take it
    with pytest.raises(InvalidRequest, match=advice) as caught:
        read(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": ""}, "model"), ({"model": 1}, "model"), ({"stream": "yes"}, "stream"),
        ({"max_tokens": "x"}, "max_tokens"), ({"echo": 1}, "echo"), ({"suffix": 1}, "suffix"),
        ({"logprobs": "x"}, "logprobs"), ({"temperature": "hot"}, "temperature"),
    ],
)  # fmt: skip
def test_a_mistyped_member_is_named(body: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        COMPLETIONS.check(fields(**body))
    assert caught.value.param == param


@pytest.mark.parametrize("name", ["model", "prompt"])
def test_a_missing_member_is_named(name: str) -> None:
    body = fields()
    del body[name]
    with pytest.raises(InvalidRequest) as caught:
        COMPLETIONS.check(body)
    assert caught.value.param == name
