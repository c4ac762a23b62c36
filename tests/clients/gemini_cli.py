"""How Gemini CLI is run: no telemetry, no update, a HOME of its own."""

import msgspec

from tests.clients.conftest import client
from tests.clients.hall import KEY, CliGateway, Ran, run

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"disableAutoUpdate": True},
}


async def gemini(hall: CliGateway, model: str, words: str) -> Ran:
    """One question to Gemini CLI, which may use its tools."""
    home = hall.folder / "home" / ".gemini"
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.json").write_bytes(msgspec.json.encode(SETTINGS))
    program = client("gemini-cli") / "node_modules" / ".bin" / "gemini"
    command = [str(program), "--skip-trust", "-m", model, "-p", words, "-y"]
    own = {"GOOGLE_GEMINI_BASE_URL": hall.url, "GEMINI_API_KEY": KEY}
    return await run(command, hall.folder, own)
