"""A service in two regions: what stands in each, so that on the day nothing must be made and nobody must be asked."""

from __future__ import annotations

import json

import pytest

from alarms.packs import all_alarms
from alarms.spec import AlarmSpec
from console.on_paper import paper_of
from dashboards import cloudwatch
from deploy import config, golden, policy_lint, synth
from deploy.synth import names, prober, rules
from remediators import registry
from sereno import serving
from sereno.service import Service

HOUSE = registry.all_remediators()
TEXT = golden.REGIONS.read_text(encoding="utf-8")
PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"


def watches(text: str = TEXT):
    """(service, template) of each region."""
    found = {}
    for compiled in config.watches(config.compile_config(config.parse(text))):
        service = Service.from_json(compiled)
        found[service.region] = service, synth.synthesise(service, compiled, remediators=HOUSE)
    return found


WATCHES = watches()


def of_type(template, kind):
    return {key: one for key, one in template["Resources"].items() if one["Type"] == f"AWS::{kind}"}


def properties(template, logical_id):
    return template["Resources"][logical_id]["Properties"]


def statements(template, role):
    return properties(template, role)["Policies"][0]["PolicyDocument"]["Statement"]


def allowed(template, role):
    """(action, resource) of everything that a role may do without a customer key."""
    found = set()
    for one in statements(template, role):
        if "Action" not in one:
            continue
        where = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        found |= {(action, str(place)) for action in one["Action"] for place in where}
    return found


def test_each_region_has_its_stack_and_the_home_region_comes_first():
    assert list(WATCHES) == [PRIMARY, STANDBY, WITNESS]
    without = config.compile_config(config.load(golden.TECHMODA))
    assert config.watches(without) == [without]


def test_both_regions_can_do_everything_for_themselves():
    needed = {"Ledger", "Topic", "People", "Round", "Prober", "Notifier", "Dashboard"}
    for region in (PRIMARY, STANDBY):
        assert needed <= WATCHES[region][1]["Resources"].keys()


def test_a_second_region_changes_nothing_of_the_first_but_what_it_adds():
    alone = golden.template_of(golden.TECHMODA)["Resources"]
    here = WATCHES[PRIMARY][1]["Resources"]
    assert alone.keys() <= here.keys()
    assert {
        one["Properties"]["AlarmName"] for one in of_type({"Resources": alone}, "CloudWatch::Alarm").values()
    } <= {one["Properties"]["AlarmName"] for one in of_type({"Resources": here}, "CloudWatch::Alarm").values()}


def test_the_witness_only_looks_and_calls_people_when_it_falls_silent():
    template = WATCHES[WITNESS][1]
    assert set(of_type(template, "Lambda::Function")) == {"Prober"}
    assert not of_type(template, "DynamoDB::Table")
    (alarm,) = of_type(template, "CloudWatch::Alarm").values()
    assert alarm["Properties"]["AlarmName"] == "sereno-techmoda/prober/probe-silent"
    assert alarm["Properties"]["AlarmActions"] == [{"Ref": "People"}]
    assert alarm["Properties"]["TreatMissingData"] == "breaching"
    (email,) = of_type(template, "SNS::Subscription").values()
    assert email["Properties"]["Endpoint"] == "oncall@example.com"
    assert "DeadLetters" not in json.dumps(template)


def test_nothing_of_the_standby_leans_on_the_first_region():
    """Only its address is known, which its own checks ask; the writers that are fenced as far as it answers; and the
    table that is compared before customers go back there; and the original of a shared write target, which its ledger
    gets as far as it answers."""
    text = json.dumps(WATCHES[STANDBY][1]["Resources"])
    fenced = f"arn:aws:lambda:{PRIMARY}:123456789012:function:techmoda-write"
    compared = f"arn:aws:dynamodb:{PRIMARY}:123456789012:table/techmoda-products"
    original = f"arn:aws:dynamodb:{PRIMARY}:123456789012:table/sereno-techmoda-ledger"
    condition = '"Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ORIGINAL#*"]}'
    text = text.replace(f'"{original}", {condition}', condition)
    for one in (f"techmoda/{PRIMARY}", fenced, compared):
        text = text.replace(one, "")
    assert f":{PRIMARY}:" not in text


def test_a_prober_runs_each_minute_alone_and_is_never_tried_again():
    for region in (PRIMARY, STANDBY, WITNESS):
        template = WATCHES[region][1]
        code, failures = properties(template, "Prober"), properties(template, "ProberFailures")
        assert (code["Handler"], code["Timeout"]) == ("remediators.prober.handler", prober.TIMEOUT_S)
        assert code["ReservedConcurrentExecutions"] == 1
        assert (failures["MaximumRetryAttempts"], failures["MaximumEventAgeInSeconds"]) == (0, 60)
        rule = next(
            one["Properties"]
            for one in of_type(template, "Events::Rule").values()
            if one["Properties"]["Name"] == names.prober_rule(WATCHES[region][0])
        )
        assert rule["ScheduleExpression"] == "rate(1 minute)"
        assert rule["Targets"][0]["RetryPolicy"] == prober.RETRY


def test_each_prober_leaves_word_in_the_standbys_ledger():
    ledger = f"arn:aws:dynamodb:{STANDBY}:123456789012:table/sereno-techmoda-ledger"
    for region in (PRIMARY, STANDBY, WITNESS):
        assert ("dynamodb:PutItem", ledger) in allowed(WATCHES[region][1], "ProberRole")
    environment = properties(WATCHES[WITNESS][1], "Prober")["Environment"]["Variables"]
    assert environment["SERENO_LEDGER"] == "sereno-techmoda-ledger"
    key = [one for one in statements(WATCHES[WITNESS][1], "ProberRole") if "Fn::If" in one]
    assert any(f"kms:{STANDBY}:123456789012" in json.dumps(one) for one in key)


def test_only_the_standbys_prober_may_set_the_switch():
    switch_key = "arn:aws:s3:::sereno-techmoda-switch-123456789012-eu-central-1/techmoda/primary-out"
    assert ("s3:PutObject", switch_key) in allowed(WATCHES[STANDBY][1], "ProberRole")
    for region in (PRIMARY, WITNESS):
        assert not any(action.startswith("s3:") for action, _ in allowed(WATCHES[region][1], "ProberRole"))
    assert not any(action.startswith("route53:") for action, _ in allowed(WATCHES[STANDBY][1], "ProberRole"))


def test_a_watch_whose_playbook_moves_nothing_has_a_prober_that_may_not():
    text = TEXT.replace("playbook:\n", "playbook:\n  region-out: open_incident\n")
    template = watches(text)[STANDBY][1]
    assert not any(action.startswith("s3:") for action, _ in allowed(template, "ProberRole"))


def test_no_alarm_and_no_rule_starts_what_moves_traffic():
    service, template = WATCHES[STANDBY]
    assert rules.first_rung(service, "fail_over") == rules.first_rung(service, "fail_back") == []
    assert "region-out" not in json.dumps(of_type(template, "Events::Rule"))


def test_the_headroom_counts_the_prober():
    with_it, without = (
        paper_of(WATCHES[PRIMARY][0], live=False),
        paper_of(config.service(golden.TECHMODA), live=False),
    )
    remediators = len(WATCHES[PRIMARY][0].playbook["region-out"].first)
    assert remediators == 4
    # The prober, and the functions of the three remediators that one region has no use for.
    assert with_it.account.own - without.account.own == 1 + 3 * 5


# --- what moves traffic ---------------------------------------------------------------------------------------------


def test_only_the_switch_may_be_read_by_everybody():
    template = WATCHES[STANDBY][1]
    switch, hold, readable, deny = properties(template, "SwitchBucketPolicy")["PolicyDocument"]["Statement"]
    for allow, name in ((switch, "primary-out"), (hold, "hold"), (readable, "switch-readable")):
        assert (allow["Principal"], allow["Action"]) == ("*", "s3:GetObject")
        assert allow["Resource"].endswith(f"/techmoda/{name}")
    assert deny["Effect"] == "Deny"
    bucket = properties(template, "SwitchBucket")
    assert bucket["BucketName"] == WATCHES[STANDBY][0].recovery.bucket
    assert "VersioningConfiguration" not in bucket
    blocked = bucket["PublicAccessBlockConfiguration"]
    assert blocked["BlockPublicAcls"] is blocked["IgnorePublicAcls"] is True
    assert policy_lint.problems(template) == []


def test_traffic_stays_while_the_region_answers_and_the_switch_is_not_set():
    template = WATCHES[STANDBY][1]
    checks = {
        key: one["Properties"]["HealthCheckConfig"] for key, one in of_type(template, "Route53::HealthCheck").items()
    }
    assert checks["TrafficCheck"]["HealthThreshold"] == len(checks["TrafficCheck"]["ChildHealthChecks"]) == 2
    answers, switched = checks["PrimaryCheck"], checks["SwitchCheck"]
    assert answers["FullyQualifiedDomainName"] == "eu-west-1.api.techmoda.example"
    assert (answers["ResourcePath"], answers["RequestInterval"], answers["FailureThreshold"]) == ("/health", 10, 3)
    # Without the object, or without an answer, the text is not found: inverted, that is healthy, and nothing moves.
    assert (switched["Type"], switched["Inverted"]) == ("HTTPS_STR_MATCH", True)
    assert switched["FullyQualifiedDomainName"].startswith(WATCHES[STANDBY][0].recovery.bucket + ".s3.eu-central-1.")
    # Four looks lie 30 s apart: a flap of the standby loses no switch.
    assert (switched["RequestInterval"], switched["FailureThreshold"]) == (10, 4)


@pytest.mark.parametrize("strategy", ["health-switch", "metric-switch"])
def test_a_dead_standby_gives_traffic_back(strategy):
    """Is the secondary's check unhealthy, Route 53 answers the primary, whatever the switch says."""
    template = watches(TEXT.replace("health-switch", strategy))[STANDBY][1]
    second = properties(template, "CustomersStandby")
    assert second["HealthCheckId"] == {"Fn::GetAtt": ["StandbyTrafficCheck", "HealthCheckId"]}
    check = properties(template, "StandbyTrafficCheck")["HealthCheckConfig"]
    children = [one["Fn::GetAtt"][0] for one in check["ChildHealthChecks"]]
    assert (check["Type"], check["HealthThreshold"]) == ("CALCULATED", 1)
    assert children == ["StandbyCheck", "PrimaryOutCheck", "HoldCheck"]
    standby, out, hold = (properties(template, one)["HealthCheckConfig"] for one in children)
    assert "CALCULATED" not in {standby["Type"], out["Type"], hold["Type"]}, "calculated checks cannot be nested"
    assert standby["FullyQualifiedDomainName"] == "eu-central-1.api.techmoda.example"
    assert (out["FullyQualifiedDomainName"], out["Inverted"]) == ("eu-west-1.api.techmoda.example", True)
    assert {standby["RequestInterval"], out["RequestInterval"]} == {30}
    if strategy == "metric-switch":
        assert hold["InsufficientDataHealthStatus"] == "Unhealthy"
        (needed,) = template["Resources"]["HoldCheck"]["DependsOn"]
        alarm = properties(template, needed)
        assert alarm["AlarmName"] == hold["AlarmIdentifier"]["Name"]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1.0)
    else:
        assert (hold["SearchString"], hold["ResourcePath"]) == (serving.HOLD_WORD, "/techmoda/hold")
        assert "Inverted" not in hold, "what cannot be read is not held"


def test_creation_sends_nobody_to_the_standby():
    """A new inverted check may start unhealthy: each record waits until the one before it is live everywhere."""
    resources = WATCHES[STANDBY][1]["Resources"]
    assert resources["CustomersPrimary"]["DependsOn"] == ["SharePrimary", "ShareStandby"]
    assert resources["CustomersStandby"]["DependsOn"] == ["CustomersPrimary"]


def test_the_checkers_search_for_what_fail_over_writes():
    assert properties(WATCHES[STANDBY][1], "SwitchCheck")["HealthCheckConfig"]["SearchString"] == serving.OUT_WORD


def test_the_records_send_customers_to_the_shares_and_else_to_the_standby():
    template = WATCHES[STANDBY][1]
    records = {key: one["Properties"] for key, one in of_type(template, "Route53::RecordSet").items()}
    assert {one["TTL"] for one in records.values()} == {"20"}
    assert {one["Type"] for one in records.values()} == {"CNAME"}
    first, second = records["CustomersPrimary"], records["CustomersStandby"]
    assert (first["Failover"], first["ResourceRecords"]) == ("PRIMARY", ["shares.api.techmoda.example"])
    assert first["HealthCheckId"] == {"Fn::GetAtt": ["TrafficCheck", "HealthCheckId"]}
    assert (second["Failover"], second["ResourceRecords"]) == ("SECONDARY", ["eu-central-1.api.techmoda.example"])
    shares = {one["SetIdentifier"]: one["Weight"] for key, one in records.items() if key.startswith("Share")}
    # `fail_back` finds the records by these names.
    assert shares == {PRIMARY: 100, STANDBY: 0}


def test_a_metric_switch_reads_an_alarm_of_the_standby_and_keeps_its_state_in_silence():
    service, template = watches(TEXT.replace("health-switch", "metric-switch"))[STANDBY]
    (needed,) = template["Resources"]["SwitchCheck"]["DependsOn"]
    named = properties(template, "SwitchCheck")["HealthCheckConfig"]["AlarmIdentifier"]["Name"]
    assert properties(template, needed)["AlarmName"] == named
    assert "SwitchBucket" not in template["Resources"]
    check = properties(template, "SwitchCheck")["HealthCheckConfig"]
    assert check["InsufficientDataHealthStatus"] == "LastKnownStatus"
    named = {one["Properties"]["AlarmName"] for one in of_type(template, "CloudWatch::Alarm").values()}
    assert check["AlarmIdentifier"] == {"Name": "sereno-techmoda/switch/primary-out", "Region": STANDBY}
    assert check["AlarmIdentifier"]["Name"] in named
    assert service.recovery is not None
    assert service.recovery.bucket == ""


@pytest.mark.parametrize("strategy", ["health-switch", "metric-switch"])
def test_without_a_zone_the_checks_are_made_and_named_for_whoever_writes_the_records(strategy):
    text = TEXT.replace("health-switch", strategy)
    lines = [line for line in text.splitlines() if not line.strip().startswith(("zone:", "stage:"))]
    _, template = watches("\n".join(lines))[STANDBY]
    assert ("SwitchBucket" in template["Resources"]) is (strategy == "health-switch")
    assert not of_type(template, "Route53::RecordSet")
    with_zone = watches(text)[STANDBY][1]
    assert of_type(template, "Route53::HealthCheck") == of_type(with_zone, "Route53::HealthCheck")
    for name in ("TrafficCheck", "StandbyTrafficCheck"):
        assert template["Outputs"][name]["Value"] == {"Fn::GetAtt": [name, "HealthCheckId"]}
        assert name not in with_zone["Outputs"]


def test_weights_alone_are_for_planned_moves():
    template = watches(TEXT.replace("health-switch", "weighted"))[STANDBY][1]
    assert not of_type(template, "Route53::HealthCheck")
    assert set(of_type(template, "Route53::RecordSet")) == {"SharePrimary", "ShareStandby", "Customers"}


@pytest.mark.parametrize(("strategy", "changes"), [("weighted", True), ("health-switch", False)])
def test_only_with_weights_may_who_fails_over_change_records(strategy, changes):
    """With a switch nothing on that way asks Route 53's control plane, so nothing there may."""
    template = watches(TEXT.replace("health-switch", strategy))[STANDBY][1]
    change = ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ")
    assert (change in allowed(template, "ProberRole")) is changes


# --- data and alarms ------------------------------------------------------------------------------------------------


def test_backups_of_every_table_are_copied_to_the_standby():
    template = WATCHES[PRIMARY][1]
    (rule,) = properties(template, "BackupPlan")["BackupPlan"]["BackupPlanRule"]
    (copy,) = rule["CopyActions"]
    vault = properties(WATCHES[STANDBY][1], "Vault")["BackupVaultName"]
    assert copy["DestinationBackupVaultArn"] == f"arn:aws:backup:{STANDBY}:123456789012:backup-vault:{vault}"
    selected = properties(template, "BackupSelection")["BackupSelection"]["Resources"]
    assert selected == [f"arn:aws:dynamodb:{PRIMARY}:123456789012:table/techmoda-products"]
    assert "BackupPlan" not in WATCHES[STANDBY][1]["Resources"]


@pytest.mark.parametrize(
    ("region", "wanted"),
    [
        (PRIMARY, {"probe-silent": "page", "replication-lag": "ticket"}),
        (
            STANDBY,
            {
                "probe-silent": "page",
                "region-suspected": "page",
                "rto": "ticket",
                "rpo": "page",
                "rpo-near": "ticket",
                "standby-ready": "ticket",
                "parity": "ticket",
                "switch-readable": "page",
            },
        ),
    ],
)
def test_each_region_watches_what_its_own_metrics_tell(region, wanted):
    alone = {one.name for one in all_alarms(config.service(golden.TECHMODA))}
    service, _ = WATCHES[region]
    added = {one.what: one for one in all_alarms(service) if one.name not in alone}
    namespaces = {"Sereno", "AWS/DynamoDB"}
    own = {
        what: one.severity
        for what, one in added.items()
        if isinstance(one, AlarmSpec) and namespaces & {query.namespace for query in one.stats}
    }
    assert own == wanted
    assert all(one.name.startswith("sereno-techmoda/") for one in added.values())


def test_the_promised_recovery_point_is_what_the_alarms_are_held_against():
    alarms = {one.what: one for one in all_alarms(WATCHES[STANDBY][0])}
    assert (alarms["rpo-near"].threshold, alarms["rpo"].threshold) == (450, 900)
    (lag,) = [one for one in all_alarms(WATCHES[PRIMARY][0]) if one.what == "replication-lag"]
    assert lag.threshold == 450_000  # DynamoDB tells milliseconds


def test_the_dashboards_of_two_regions_do_not_overwrite_each_other():
    shown = {}
    for region in (PRIMARY, STANDBY):
        service, template = WATCHES[region]
        boards = {one["Properties"]["DashboardName"] for one in of_type(template, "CloudWatch::Dashboard").values()}
        assert names.dashboard(service) == cloudwatch.name_of(service, "overview")
        assert names.dashboard(service) in boards
        shown[region] = boards
    assert shown[PRIMARY].isdisjoint(shown[STANDBY])
