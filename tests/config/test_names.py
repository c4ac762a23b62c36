"""How names are compared."""

from gateway.config.names import fold


def test_case_and_the_kind_of_dash_do_not_matter() -> None:
    assert fold("My_Fast-Model") == fold("my-fast_model") == "my-fast-model"
