"""Each policy statement of a deployment stands on the page of permissions, with why it is as wide as it is."""

from __future__ import annotations

import pytest

from console import docs_permissions
from console.docs_permissions import UNREASONED, reason, render, rows, statements


def test_every_statement_is_on_the_page_and_has_a_reason():
    page = render()
    assert UNREASONED not in page
    held = {(holder, action) for row in rows() for holder in row.holders for action in row.actions}
    every = list(statements())
    assert len(every) > 300
    for holder, statement, _ in every:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            assert (holder, action) in held
            assert f"`{action}`" in page


def test_a_statement_has_its_resources_and_conditions_on_the_page():
    for row in rows():
        assert row.why
        assert row.resources
    page = render()
    assert "scalable-target/*" in page
    assert "shares.api.techmoda.example" in page
    assert docs_permissions.ACCOUNT not in page


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": ["lambda:UpdateAlias"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["kinesis:PutRecord"], "Resource": "arn:aws:kinesis:eu-west-1:1:stream/*"},
        {
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": "*",
            "Condition": {"Bool": {"aws:Odd": "true"}},
        },
        {"Effect": "Allow", "Action": "sns:Publish", "Principal": "*", "Resource": {"Ref": "Topic"}},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
    ],
)
def test_a_statement_that_nobody_has_reasoned_about_is_seen(statement):
    assert UNREASONED in reason(statement, {})
