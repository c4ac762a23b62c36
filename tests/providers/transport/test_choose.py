"""Which engine is made."""

from pathlib import Path

import pytest

from providers.transport import httpx_engine
from providers.transport.choose import engine
from providers.transport.direct import PooledEngine
from providers.transport.engine import Options
from tests.fakes.certificate import Certificate


def test_default_is_the_direct_one() -> None:
    assert isinstance(engine("https://h"), PooledEngine)


async def test_httpx2() -> None:
    made = engine("https://h", Options(kind="httpx2", proxy="http://127.0.0.1:1"))
    assert type(made).__name__ == "HttpxEngine"
    await made.aclose()


async def test_client_certificate(certificate: Certificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.cert.read_bytes() + certificate.key.read_bytes())
    made = engine("https://h", Options(kind="httpx2", client_cert=str(both)))
    await made.aclose()


async def test_http2_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx_engine, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="h2"):
        engine("https://h", Options(kind="httpx2", http2=True))


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
