"""The fuzz target under atheris: `python -m tests.fuzz.atheris_target [libFuzzer options]`.

atheris is no dependency: install it in an environment of its own, beside what the tests need.
"""

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "middleware", "providers"]):
    from gateway.telemetry.log import setup
    from tests.fuzz.target import Target


def main() -> None:
    """Runs until libFuzzer's limits are reached or an input fails."""
    setup("critical", "json")
    target = Target()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
