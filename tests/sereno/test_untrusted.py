"""One guard stands before data from outside: so much, so deep, and nothing that cannot be written down again."""

from __future__ import annotations

import pytest

from sereno.errors import MalformedEvent
from sereno.untrusted import BITS_LIMIT, DEPTH_LIMIT, NODE_LIMIT, SIZE_LIMIT, check, load_json


def nested(levels, kind=list):
    inner = 1
    for _ in range(levels):
        inner = [inner] if kind is list else {"a": inner}
    return inner


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        {"a": [1, 2.5, "x", True, None]},
        nested(DEPTH_LIMIT),
        nested(DEPTH_LIMIT, dict),
        2**BITS_LIMIT - 1,
        ["x"] * (NODE_LIMIT - 1),
        "x" * SIZE_LIMIT,
        {"ñ": "😀"},
    ],
)
def test_what_a_service_sends_passes(value):
    check(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (nested(DEPTH_LIMIT + 1), "nested deeper than 50 levels"),
        (nested(10_000), "nested deeper than 50 levels"),
        (nested(10_000, dict), "nested deeper than 50 levels"),
        (["x"] * NODE_LIMIT, "holds more than 50000 values"),
        ("x" * (SIZE_LIMIT + 1), "is larger than 1048576 bytes"),
        ("x" * 30 * 1024 * 1024, "is larger than 1048576 bytes"),
        ({"k" * SIZE_LIMIT: "x"}, "is larger than 1048576 bytes"),
        ("ñ" * (SIZE_LIMIT // 2 + 1), "is larger than 1048576 bytes"),
        ({"a": {"b": "x\ud800"}}, "event.a.b"),
        ({"\udfff": 1}, "holds half a character"),
        ([10**6_000], "is a number of 19932 bits"),
        (float("inf"), "is no finite number"),
        ({"a": float("nan")}, "event.a: is no finite number"),
        ({"a": b"x"}, "is of type bytes"),
    ],
)
def test_what_no_service_sends_is_told_with_its_place(value, said):
    with pytest.raises(MalformedEvent) as told:
        check(value)
    assert said in str(told.value)
    assert len(str(told.value)) < 400
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 10_000, "nested deeper"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested deeper"),
        ("9" * 6_000, "a number is too long"),
        ("NaN", "is no finite number"),
        ("1e999", "is no finite number"),
        ('"\\ud800"', "half a character"),
        ("{", "is not JSON (Expecting property name"),
        ("", "'' is not JSON"),
        ("x" * (SIZE_LIMIT + 1), "is larger than"),
    ],
)
def test_a_text_that_is_no_json_is_told_without_a_traceback(text, said):
    with pytest.raises(MalformedEvent) as told:
        load_json(text, "message")
    assert said in str(told.value)
    assert str(told.value).startswith("message: ") or "message" in str(told.value)


def test_json_is_read_as_it_stands():
    assert load_json('{"a": [1, "\\u00f1", null]}', "message") == {"a": [1, "ñ", None]}
