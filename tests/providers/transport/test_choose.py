"""Which engine is made."""

import pytest

from providers.transport.choose import Options, engine
from providers.transport.direct import Direct


def test_default_is_the_direct_one() -> None:
    assert isinstance(engine("https://h"), Direct)


async def test_httpx2() -> None:
    made = engine("https://h", Options(kind="httpx2", proxy="http://127.0.0.1:1"))
    assert type(made).__name__ == "HttpxEngine"
    await made.aclose()


@pytest.mark.parametrize(
    "options", [Options(proxy="http://p"), Options(http2=True), Options(client_cert="x")]
)
def test_direct_refuses_what_it_cannot(options: Options) -> None:
    with pytest.raises(ValueError, match="httpx2"):
        engine("https://h", options)


def test_bad_url() -> None:
    with pytest.raises(ValueError, match="base URL"):
        engine("h")


def test_missing_ca_file_is_found_at_once() -> None:
    with pytest.raises(OSError, match="No such file"):
        engine("https://h", Options(ca_file="/nowhere/ca.pem"))
