"""The application as another ASGI server makes it."""

from pathlib import Path

import pytest

from gateway.app import create
from gateway.config.load import ConfigError
from tests.fakes.asgi import AsgiTestRequest

CHAT = {"model": "mine:m", "messages": [{"role": "user", "content": "hi"}]}


def configured(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names a file of that text in the environment."""
    path = folder / "gateway.toml"
    path.write_text(text)
    monkeypatch.setenv("INTERLINGUA_CONFIG", str(path))


async def test_the_factory_reads_the_file_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, '[providers.mine]\nuse = "echo"\nprefix = "I heard "\n', monkeypatch)
    app = create()
    async with app.router.lifespan_context(app):
        request = await AsgiTestRequest(app, CHAT).start().wait_done()
    assert request.json()["choices"][0]["message"]["content"] == "I heard hi"


def test_the_factory_refuses_a_faulty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, "[server]\nprot = 1\n", monkeypatch)
    with pytest.raises(ConfigError, match=r"server\.prot: there is no such option"):
        create()
