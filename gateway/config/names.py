"""How names in a configuration are compared."""


def fold(name: str) -> str:
    """Return the name of an alias or profile for comparison: lower case, with - for _."""
    return name.lower().replace("_", "-")
