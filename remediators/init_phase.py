"""Lambda's Init phase. Imported first, before anything large.

Lambda gives the Init phase a whole processor, and an invocation only the share of one that its memory buys. So all
that a start must do is done in Init. Nothing that is loaded there is ever garbage: the collector rests meanwhile
(12 of 205 ms), and what is loaded is then put out of its sight, which spares each later collection too.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import gc
import os

# Set by Lambda itself, and nowhere else (on-demand, provisioned-concurrency or snap-start).
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RUNS = "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ

if RUNS:
    gc.disable()


def end() -> None:
    """All is loaded: the collector works again, on what comes from now on."""
    gc.freeze()
    gc.enable()
