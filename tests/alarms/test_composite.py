"""Rules over alarm states, as CloudWatch reads them."""

import pytest

from alarms.composite import children, evaluate
from sereno.errors import InvalidInput

STATES = {"red": "ALARM", "green": "OK", "grey": "INSUFFICIENT_DATA", "a name (with) marks": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("TRUE", True),
        ("FALSE", False),
        ("ALARM(red)", True),
        ("ALARM(green)", False),
        ('ALARM("red")', True),
        ('ALARM("a name (with) marks")', True),
        ("OK(green) AND INSUFFICIENT_DATA(grey)", True),
        ("NOT ALARM(red)", False),
        ("NOT NOT ALARM(red)", True),
        ("NOT ALARM(green) AND ALARM(red)", True),
        ("ALARM(red) OR ALARM(green) AND ALARM(green)", True),
        ("(ALARM(red) OR ALARM(green)) AND ALARM(green)", False),
        ("NOT (ALARM(red) AND ALARM(green))", True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:red)", True),
        ("AT_LEAST(1, ALARM, (red, green, grey))", True),
        ("AT_LEAST(2, ALARM, (red, green, grey))", False),
        ("AT_LEAST(2, NOT ALARM, (red, green, grey))", True),
        ("AT_LEAST(50%, NOT OK, (red, green, grey))", True),
        ("AT_LEAST(67%, NOT OK, (red, green, grey))", False),
        ("  ALARM( red )\n OR\n OK( red )  ", True),
    ],
)
def test_a_rule_holds_or_not(rule, holds):
    assert evaluate(rule, STATES) is holds


def test_children_are_named_once_in_the_order_of_their_mention():
    rule = 'ALARM("b") AND (OK(a) OR NOT ALARM(b)) AND AT_LEAST(1, OK, (c, a))'
    assert children(rule) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("rule", "mend"),
    [
        ("", "1 to 10240"),
        ("ALARM(a) AND", "ends where"),
        ("ALARM(a", r"ends where \)"),
        ("ALARM()", r"position 6: \) stands where an alarm's name"),
        ("ALARM(a) XOR OK(a)", "position 9: XOR"),
        ("BROKEN(a)", "position 0: BROKEN"),
        ('ALARM("a)', "quote at position 6"),
        ('ALARM("")', "name is empty"),
        ("AT_LEAST(0, ALARM, (a))", "0 must be"),
        ("AT_LEAST(101%, ALARM, (a))", "101% must be"),
        ("AT_LEAST(3, ALARM, (a, b))", "never hold"),
        ("AT_LEAST(1, RED, (a))", "RED must be"),
        ("(" * 201 + "TRUE" + ")" * 201, "deeper than 200"),
        (" OR ".join(f"ALARM(a{i})" for i in range(101)), "at most 100 alarms"),
        (" OR ".join(["TRUE"] * 501), "at most 500 elements"),
        ("ALARM(" + "a" * 10_240 + ")", "1 to 10240"),
    ],
)
def test_a_bad_rule_is_refused_with_its_mend(rule, mend):
    with pytest.raises(InvalidInput, match=mend):
        children(rule)


def test_the_limits_themselves_are_allowed():
    assert len(children(" OR ".join(f"ALARM(a{i})" for i in range(100)))) == 100
    assert evaluate(" OR ".join(["TRUE"] * 500), {})
    assert evaluate("NOT " * 2000 + "TRUE", {})


def test_a_child_without_a_state_is_an_error_not_a_quiet_no():
    with pytest.raises(InvalidInput, match="gone"):
        evaluate("ALARM(gone)", STATES)
