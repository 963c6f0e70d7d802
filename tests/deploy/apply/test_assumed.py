"""What was guessed when sereno.yaml was written is told until somebody has looked."""

from __future__ import annotations

from deploy.apply import assumed

TEXT = """\
service: shop
# Everything here is assumed to be read.
account: "123456789012"  # assumed: no credentials at hand; use `sereno init --from-stack`
resources:
  functions:
    read: {name: shop-ReadFunction}   # Assumed until it is deployed
    write: {name: shop-write}  # a name that is known
"""


def test_each_guess_is_told_with_its_line_and_why():
    found = list(assumed.read(TEXT))
    assert [(one.line, one.setting) for one in found] == [
        (3, 'account: "123456789012"'),
        (6, "read: {name: shop-ReadFunction}"),
    ]
    assert "no credentials at hand" in str(found[0])
