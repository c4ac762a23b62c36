"""How Claude Code is run: no telemetry, no update, a HOME of its own."""

from tests.clients.conftest import client
from tests.clients.hall import KEY, CliGateway, Ran, run

QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "IS_SANDBOX": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",
}


TALKING = {name: value for name, value in QUIET.items() if "NONESSENTIAL" not in name}
"""As quiet, but that it may ask for lists."""


async def claude(
    hall: CliGateway, model: str, words: str, quiet: dict[str, str] = QUIET, **env: str
) -> Ran:
    """One question to Claude Code."""
    wrapper = client("claude-code") / "node_modules/@anthropic-ai/claude-code/cli-wrapper.cjs"
    command = ["node", str(wrapper), "-p", words, "--model", model]
    own = {"ANTHROPIC_BASE_URL": hall.url, "ANTHROPIC_AUTH_TOKEN": KEY} | quiet | env
    return await run([*command, "--dangerously-skip-permissions"], hall.folder, own)
