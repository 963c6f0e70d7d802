"""Whose name may stand in the history, and which two names are one person."""

from __future__ import annotations

import pytest

from sereno import people
from sereno.people import NAME_LIMIT, by_slack, by_token, fault, same_person

NAMES = [
    "maria",
    "Mar\u00eda Jos\u00e9",
    "\u7530\u4e2d \u3055\u304f\u3089",
    "\u0410\u043d\u043d\u0430 Smith",
    "ana (ops)",
    "o'neil",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_people_may_stand(name):
    assert fault(name) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "is empty"),
        ("x" * 101, "longer than 100"),
        ("an\u200ba", "cannot be seen"),
        ("ana\x1b[2J", "cannot be seen"),
        ("\u202eana", "cannot be seen"),
        ("m\u0430ria", "mixes Cyrillic and Latin"),
        ("mari\u03b1", "mixes Greek and Latin"),
        ("ana (U0123456789)", "Slack id"),
        ("ana (w012345678)", "Slack id"),
        ("ana (Shared Token)", "only the on-call page"),
    ],
)
def test_what_could_pass_for_another_may_not(name, said):
    assert said in fault(name)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("maria", "MARIA", True),
        ("oca", "\u043e\u0441\u0430", True),  # Cyrillic throughout
        ("TOM", "\u03a4\u039f\u039c", True),  # Greek throughout
        ("Marla", "MarIa", True),
        ("admin1", "adminl", True),
        ("bob0", "bobO", True),
        ("arnie", "amie", True),
        ("Jose", "Jos\u00e9", True),
        ("Maria", "Marla", False),
        ("ana", "ben", False),
        ("\u0410\u043d\u043d\u0430", "Anna", False),
        (by_token("ana"), by_token("ben"), True),
        (by_token("ana"), "ana", False),
        (by_slack("ana", "U0123456789"), by_slack("ben", "U0123456789"), True),
        (by_slack("ana", "U0123456789"), by_slack("ana", "U9876543210"), False),
        (by_slack("ana", "U0000000000"), by_slack("ana", "UOOOOOOOOOO"), False),
    ],
)
def test_two_names_are_one_person_where_nobody_could_tell_them_apart(one, other, alike):
    assert same_person(one, other) is same_person(other, one) is alike


@pytest.mark.parametrize("name", ["x" * 93, "x" * 5000, "a\u0000b", "\x1b[31m", "m\u0430ria", "", "\u202e"])
def test_whoever_slack_vouches_for_has_a_name_that_fits(name):
    by = by_slack(name, "U0123456789")
    assert len(by) <= NAME_LIMIT
    assert by.isprintable()
    assert people.same(by) == "u0123456789"
    assert people.imitation(by) == ""
