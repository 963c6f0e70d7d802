"""What differs between AWS's partitions: the beginning of ARNs and the host of the console."""

from __future__ import annotations

_CONSOLES = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}


def partition(region: str) -> str:
    """The partition of a region: its ARNs begin with it."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def console_host(region: str) -> str:
    """The host of the AWS console in a region.

    https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
    """
    return f"{region}.console.{_CONSOLES[partition(region)]}"
