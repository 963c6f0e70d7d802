"""The dashboards of a watch, and the function behind their custom widgets.

CloudWatch invokes a custom widget's function with the viewer's own credentials: who may look needs
`lambda:InvokeFunction` on it, and the function needs no policy of its own.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard.html
"""

from __future__ import annotations

from collections.abc import Sequence

from alarms.spec import AnySpec
from dashboards import cloudwatch
from deploy import iam
from deploy.synth import functions, names
from deploy.synth.functions import Code
from sereno.model import Json
from sereno.ports import Permission
from sereno.service import Service

TIMEOUT_S = 10
# Two people who look at once; a widget that waits is drawn at its next refresh.
CONCURRENCY = 2
_LEDGER = "arn:{partition}:dynamodb:{region}:{account}:table/sereno-{service}-ledger"
_TABLE = "arn:{partition}:dynamodb:{region}:{account}:table/{table}"


def dashboards(service: Service, alarms: Sequence[AnySpec]) -> Json:
    """The dashboards by logical id. Raises InvalidInput as `cloudwatch.boards` does."""
    return {
        logical_id(one.part): {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": one.name, "DashboardBody": one.body},
        }
        for one in cloudwatch.boards(service, alarms)
    }


def logical_id(part: str) -> str:
    """The logical id of a dashboard: `functions-2` is DashboardFunctions2. The overview's stays what it always was:
    another id would delete the dashboard of a watch that is deployed already."""
    return "Dashboard" if part == "overview" else f"Dashboard{part.title().replace('-', '')}"


def function(service: Service) -> Json:
    """The widget's function, its role and its log group. It is only ever called and waited for, so nothing says where
    failed events go."""
    found = functions.resources(service, widget(service))
    return {key: one for key, one in found.items() if one["Type"] != "AWS::Lambda::EventInvokeConfig"}


def widget(service: Service) -> Code:
    """It reads the ledger and since when each table can be restored, and may do nothing else."""
    reading = ("dynamodb.get_item", "dynamodb.batch_get_item")
    return Code(
        id="Widget",
        name=names.widget(service),
        description="Shows open incidents and changes in force inside CloudWatch's dashboard; reads, never acts",
        handler="remediators.widget.handler",
        environment={},
        timeout_s=TIMEOUT_S,
        concurrency=CONCURRENCY,
        max_age_s=60,
        retries=0,
        permissions=(
            *(Permission(one, _LEDGER) for one in reading),
            Permission("dynamodb.query", _LEDGER),
            Permission("dynamodb.query", f"{_LEDGER}/index/open"),
            Permission("dynamodb.describe_continuous_backups", _TABLE),
            *(one for one in iam.COMMON if one.operation.startswith("xray.")),
        ),
    )
