"""How Codex is run: no telemetry, no update check, a HOME of its own."""

from tests.clients.conftest import client
from tests.clients.hall import KEY, CliGateway, Ran, run

CONFIG = """
model_provider = "gw"
check_for_update_on_startup = false
[model_providers.gw]
name = "gw"
base_url = "{url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
[features]
plugins = false
[analytics]
enabled = false
[otel]
exporter = "none"
metrics_exporter = "none"
trace_exporter = "none"
"""


async def codex(hall: CliGateway, model: str, words: str) -> Ran:
    """One task for Codex, in the hall's folder."""
    home = hall.folder / "home" / ".codex"
    home.mkdir(parents=True)
    (home / "config.toml").write_text(CONFIG.format(url=hall.url))
    wrapper = client("codex") / "node_modules/@openai/codex/bin/codex.js"
    flags = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    command = ["node", str(wrapper), "exec", *flags, "-m", model, words]
    return await run(command, hall.folder, {"GATEWAY_KEY": KEY})
