"""The clients of a Region for commands that call AWS many times: what cannot answer is told at once."""

from __future__ import annotations

from remediators.clients import QUICK, BotocoreAws


def aws_of(region: str) -> BotocoreAws:
    """The clients of a Region, after AWS has answered one call within 4 seconds: GetCallerIdentity, which needs no
    permission. Without it an endpoint that hangs would be tried three times for 5 seconds by each call, and expired
    credentials would show as a failure of whatever is called first.

    Raises ClientError and BotoCoreError.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    BotocoreAws(region, QUICK).client("sts").get_caller_identity()
    return BotocoreAws(region)
