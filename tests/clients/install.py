"""Installs the real clients, each pinned and in an environment of its own under `.clients/`.

`python -m tests.clients.install [NAME ...]`; what is there already in the pinned versions stays.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENV = Path(__file__).parent / "env"
CLIENTS = Path(__file__).parents[2] / ".clients"
STAMP = "installed"
SECONDS = 900


def names() -> list[str]:
    """The clients that are pinned here."""
    return sorted(path.name for path in ENV.iterdir() if _pins(path.name))


def _pins(name: str) -> list[Path]:
    files = ("package.json", "package-lock.json", "client.mjs", "requirements.txt")
    return [path for file in files if (path := ENV / name / file).exists()]


def stamp(name: str) -> str:
    """A digest of all that a client's environment is made from."""
    pins = b"".join(path.read_bytes() for path in _pins(name))
    return hashlib.sha256(pins).hexdigest()


def installed(name: str) -> bool:
    """Whether the client is there in the pinned versions."""
    mark = CLIENTS / name / STAMP
    return mark.exists() and mark.read_text() == stamp(name)


def install(name: str) -> None:
    """Makes the client's environment anew. CalledProcessError where that fails."""
    folder = CLIENTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if (ENV / name / "requirements.txt").exists():
        _python(name, folder)
    else:
        _node(name, folder)
    (folder / STAMP).write_text(stamp(name))


def _node(name: str, folder: Path) -> None:
    for pin in _pins(name):
        shutil.copy(pin, folder)
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(f"{name} needs npm")
    # The binaries come in packages of their own: no package has to run anything to install itself.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, check=True, timeout=SECONDS)


def _python(name: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=SECONDS)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [*pip, "--require-hashes", "-r", str(ENV / name / "requirements.txt")]
    subprocess.run(command, check=True, timeout=SECONDS, env=os.environ | quiet)


def main(wanted: list[str]) -> None:
    """Installs the named clients, or all."""
    for name in wanted or names():
        if installed(name):
            print(f"{name}: there")
            continue
        print(f"{name}: installing", flush=True)
        install(name)


if __name__ == "__main__":
    main(sys.argv[1:])
