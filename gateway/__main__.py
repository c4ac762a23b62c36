"""python -m gateway."""

from gateway.cli.commands import main

main(prog_name="interlingua")
