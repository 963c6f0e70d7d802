"""What was guessed when sereno.yaml was written is told until somebody has looked."""

from __future__ import annotations

from deploy.apply import assumed

TEXT = """\
# `assumed` or `unresolved` stands above what may be wrong.
service: shop
# assumed: no account was given, and no credentials say one
# (sereno init --account 123456789012)
account: "000000000000"
region: eu-west-1
resources:
  functions:
    # unresolved: the name is made by a macro
    read: {name: shop-ReadFunction}
    write: {name: shop-write}  # assumed: until it is deployed
    # All of this is assumed to be read.
    health: {name: shop-health}  # a name that is known
"""


def test_each_guess_is_told_with_its_line_and_why():
    found = list(assumed.read(TEXT))
    assert [(one.line, one.setting, one.why.split(":")[0]) for one in found] == [
        (5, 'account: "000000000000"', "assumed"),
        (10, "read: {name: shop-ReadFunction}", "unresolved"),
        (11, "write: {name: shop-write}", "assumed"),
    ]
    assert str(found[0]).startswith('line 5: account: "000000000000" (assumed: no account was given')


def test_a_file_written_by_hand_assumes_nothing():
    assert list(assumed.read("service: shop\naccount: '1'  # ours\n")) == []
