"""How names in a configuration are compared."""


def fold(name: str) -> str:
    """The name of an alias or a profile as it is compared: without case, - and _ alike."""
    return name.lower().replace("_", "-")
