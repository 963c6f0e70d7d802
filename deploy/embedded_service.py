"""The service under watch, on the embedded AWS."""

from __future__ import annotations

from deploy.embedded import Created, Template, create_stack


def create(template: Template, *, region: str, account: str, stack: str = "service") -> Created:
    """Creates a service's resources from a translated template (see `deploy.sam.translate`), inside an active
    `moto.mock_aws(config=deploy.embedded.MOCK_CONFIG)`. Raises as `deploy.embedded.create_stack` does."""
    return create_stack(stack, template, region=region, account=account)
