"""A remediator's cold start, against boto3 with the four clients of which its calls consist.

Both are fresh interpreters with the same flags, measured by the processor time they have used when they are ready: on
Lambda nobody else is on the processor, here somebody is. The peer has no logger, no metrics, no configuration to
read, and none of Sereno's code to load.
"""

from __future__ import annotations

from pathlib import Path

import botocore

from benchmarks.measure import Row, Size, Target, paired
from benchmarks.techmoda import ROOT, built, fresh

SITE = Path(botocore.__file__).parents[1]
READY = "\nimport time; print(time.process_time() * 1000)"
ACCOUNT = """
import os
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="eu-west-1")
"""
# What Lambda's environment says, and what the template puts there.
SERENO = """
os.environ.update(AWS_LAMBDA_INITIALIZATION_TYPE="on-demand", SERENO_CONFIG=sys.argv[1],
                  SERENO_REMEDIATOR="raise_concurrency", SERENO_LEDGER="ledger",
                  SERENO_TOPIC="arn:aws:sns:eu-west-1:123456789012:sereno-techmoda")
import remediators.handler
"""
BOTO3 = """
import boto3
for service in ("lambda", "dynamodb", "sns", "cloudwatch"):
    boto3.client(service)
"""


def run(size: Size) -> list[Row]:
    """From the package, and from the environment it was built from."""
    with built() as (_, task):
        configuration = str(task / "sereno.json")

        def packaged() -> float:
            return float(fresh(ACCOUNT + SERENO + READY, [task], configuration))

        def installed() -> float:
            return float(fresh(ACCOUNT + SERENO + READY, [ROOT, SITE], configuration))

        def peer() -> float:
            return float(fresh(ACCOUNT + BOTO3 + READY, [SITE]))

        name = "boto3, 4 clients"
        ours, theirs = paired(size.pairs, packaged, peer)
        whole, others = paired(max(1, size.pairs // 2), installed, peer)
    return [
        Row("cold_start", "ms", ours, theirs, name, Target(ratio=0.75)),
        Row("cold_start, not packaged", "ms", whole, others, name, note="service models and documentation whole"),
    ]
