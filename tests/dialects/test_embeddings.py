import msgspec
import pytest

from gateway.dialects.embeddings import EMBEDDINGS
from gateway.errors import BadAnswer, InvalidRequest
from gateway.neutral.events import Usage
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import split_object

ANSWER = {
    "object": "list", "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5},
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -2e-3]}],
}  # fmt: skip


def check(**body: object) -> None:
    EMBEDDINGS.check(split_object(msgspec.json.encode({"model": "m", "input": "x"} | body)))


@pytest.mark.parametrize(
    "body",
    [
        {}, {"input": ["a", "b"]}, {"input": [1, 2]}, {"input": [[1], [2]]}, {"stream": False},
        {"dimensions": 256, "encoding_format": "base64", "user": "u"}, {"input_type": "query"},
        {"dimensions": None},
    ],
)  # fmt: skip
def test_what_the_api_takes_passes(body: dict[str, object]) -> None:
    check(**body)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"), ({"input": 7}, "input"), ({"input": {"a": 1}}, "input"),
        ({"model": ""}, "model"), ({"model": 7}, "model"), ({"stream": True}, "stream"),
        ({"dimensions": "many"}, "dimensions"), ({"encoding_format": 1}, "encoding_format"),
        ({"user": 7}, "user"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(body: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(**body)
    assert caught.value.param == param


@pytest.mark.parametrize("name", ["model", "input"])
def test_a_missing_member_is_named(name: str) -> None:
    body = {"model": "m", "input": "x"}
    del body[name]
    with pytest.raises(InvalidRequest) as caught:
        EMBEDDINGS.check(split_object(msgspec.json.encode(body)))
    assert caught.value.param == name


def test_an_answer_tells_the_tokens_used() -> None:
    assert EMBEDDINGS.summarize(msgspec.json.encode(ANSWER)).usage == Usage(5, 0)
    bare = ANSWER | {"usage": None}
    digest = EMBEDDINGS.summarize(msgspec.json.encode(bare))
    assert (digest.error, digest.usage) == (None, None)


def test_an_error_in_a_200_is_one() -> None:
    digest = EMBEDDINGS.summarize(b'{"error":{"message":"no","code":429}}')
    assert digest.error is not None
    assert digest.error.status == 429


@pytest.mark.parametrize("body", [b"{}", b'{"data":null}', b'{"object":"list"}'])
def test_an_answer_without_vectors_is_none(body: bytes) -> None:
    assert isinstance(EMBEDDINGS.summarize(body).error, BadAnswer)


def test_what_cannot_be_read_is_left_to_the_caller() -> None:
    digest = EMBEDDINGS.summarize(b"<html>")
    assert digest.usage is None


def test_there_is_no_prompt_in_it() -> None:
    with pytest.raises(InvalidRequest):
        EMBEDDINGS.read_prompt({}, LossReport())
