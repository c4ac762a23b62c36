"""How a fault reads."""

from gateway.config.faults import ConfigError, Fault


def test_a_fault_is_one_line_from_its_place_to_its_hint() -> None:
    fault = Fault(file="f", line=2, column=3, path="a.b", message="no", hint="yes")
    assert str(fault) == 'f:2:3: a.b: no (did you mean "yes"?)'
    assert str(Fault(message="no")) == "no"
    assert str(Fault(file="env X", message="no")) == "env X: no"


def test_an_error_is_all_its_faults() -> None:
    assert str(ConfigError("no")) == "no"
    assert str(ConfigError([Fault(message="one"), Fault(message="two")])) == "one\ntwo"
