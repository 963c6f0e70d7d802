"""Narrows RegisterScalableTarget. AWS gives a scalable target an id of its own, so its ARN cannot be known
beforehand; two condition keys say what kind of capacity a role may register.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html
"""

from __future__ import annotations

from sereno.model import Json


def scalable(namespace: str, *dimensions: str) -> Json:
    """The condition that allows only these scalable dimensions (`lambda:function:ProvisionedConcurrency`) of one
    service namespace (`lambda`)."""
    return {
        "StringEquals": {
            "application-autoscaling:service-namespace": namespace,
            "application-autoscaling:scalable-dimension": sorted(dimensions),
        }
    }
