"""List prices in USD, for estimates: eu-west-1, November 2026, no free tier and no discount; other regions differ by
up to a third. What a bill says goes before them.

Prices of what a remediator itself changes stand beside it; these are of the traffic that a service answers.
"""

from __future__ import annotations

# x86_64; arm64 costs a fifth less. https://aws.amazon.com/lambda/pricing/
LAMBDA_GB_SECOND = 0.0000166667
LAMBDA_REQUEST = 0.20e-6
# https://aws.amazon.com/api-gateway/pricing/
API_REQUEST = {"rest": 3.50e-6, "http": 1.11e-6}
