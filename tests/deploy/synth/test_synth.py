"""A service becomes a template: what starts what, what may do what, and what happens when something fails."""

import json
from dataclasses import replace
from pathlib import Path

import cfnlint.api
import cfnlint.config
import pytest
from moto.events.models import EventPattern

from alarms.spec import AlarmSpec, CompositeSpec
from deploy import config, embedded_limits, golden, synth
from deploy.apply import resolve
from deploy.synth import names, rules
from sereno.errors import InvalidInput
from sereno.model import Refusal, Verdict
from sereno.ports import Param, Permission, Remediator
from sereno.service import Service

ROOT = Path(__file__).parents[3]
YES = Verdict.yes()


def made_up(name: str, **changes) -> Remediator:
    known = {
        "name": name,
        "summary": f"{name} in a test",
        "kind": "function",
        "params": {"ceiling": Param(None, "never more than this", minimum=1, maximum=1000)},
        "permissions": (
            Permission(
                "lambda.put_function_concurrency",
                "arn:{partition}:lambda:{region}:{account}:function:{function}",
            ),
            Permission("lambda.get_account_settings", "*", "https://docs.aws.amazon.com/lambda/x"),
        ),
        "observe": lambda aws, context: {},
        "plan": lambda observation, context: Refusal(YES),
        "read": lambda aws, context: {},
        "symptom": lambda aws, context: {},
        "verify": lambda plan, symptom, context: YES,
        "may_release": lambda plan, symptom, context: YES,
    }
    return Remediator(**(known | changes))


HOUSE = {name: made_up(name) for name in ("raise_concurrency", "raise_capacity", "request_quota", "open_incident")}
THROTTLES = AlarmSpec(
    name="techmoda/read/throttles",
    namespace="AWS/Lambda",
    metric_name="Throttles",
    dimensions=(("FunctionName", "techmoda-read"),),
    statistic="Sum",
    period=60,
    evaluation_periods=1,
    threshold=0,
    comparison_operator="GreaterThanThreshold",
    treat_missing_data="notBreaching",
    severity="ticket",
)
HURT = CompositeSpec(
    name="techmoda/techmoda/customers-hurt", rule='ALARM("techmoda/read/throttles")', severity="page"
)


def compiled():
    loaded = config.load(ROOT / "examples" / "techmoda" / "sereno.yaml", remediators=HOUSE)
    return config.compile_config(loaded)


def template(*, alarms=(THROTTLES, HURT), remediators=HOUSE, **changes):
    data = compiled() | changes
    return synth.synthesise(Service.from_json(data), data, remediators=remediators, alarms=alarms)


def of_type(found, kind):
    return {key: one for key, one in found["Resources"].items() if one["Type"] == f"AWS::{kind}"}


def named(found, kind, field, name):
    return next(one for one in of_type(found, kind).values() if one["Properties"][field] == name)


def event(alarm: str, state: str = "ALARM", account: str = "123456789012") -> dict:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": account,
        "region": "eu-west-1",
        "resources": [f"arn:aws:cloudwatch:eu-west-1:{account}:alarm:{alarm}"],
        "detail": {"alarmName": alarm, "state": {"value": state}},
    }


def started_by(found, happening) -> set[str]:
    return {
        one["Properties"]["Name"]
        for one in of_type(found, "Events::Rule").values()
        if "EventPattern" in one["Properties"]
        and EventPattern.load(json.dumps(one["Properties"]["EventPattern"])).matches_event(happening)
    }


def test_cloudformation_accepts_the_template():
    found = synth.text(template())
    assert [
        str(one) for one in cfnlint.api.lint(found, config=cfnlint.config.ManualArgs(regions=["eu-west-1"]))
    ] == []


def test_an_alarm_starts_the_remediators_that_answer_it_first():
    found = template()
    surge = {"sereno-techmoda-raise-concurrency-1", "sereno-techmoda-raise-capacity-1"}
    assert started_by(found, event("techmoda/read/exhaustion")) == surge
    assert started_by(found, event("techmoda/products/read-throttles")) == {"sereno-techmoda-raise-capacity-1"}
    assert started_by(found, event("techmoda/catalogue/5xx")) == {"sereno-techmoda-open-incident-1"}


@pytest.mark.parametrize(
    "quiet",
    [
        event("techmoda/read/exhaustion", state="OK"),
        event("techmoda/read/exhaustion", account="999999999999"),
        event("other/read/exhaustion"),
        event("techmoda-eu/read/exhaustion"),
        event("techmoda/read/exhaustion-slow"),
        event("TargetTracking-table/techmoda-products"),
    ],
)
def test_anything_else_starts_nothing(quiet):
    assert started_by(template(), quiet) == set()


def test_an_alarm_bound_by_name_starts_what_its_meaning_asks_for():
    found = template(bindings={"Legacy Errors": ["errors", "read"], "Unplayed": ["weather", "read"]})
    assert started_by(found, event("Legacy Errors")) == {"sereno-techmoda-open-incident-2"}
    assert started_by(found, event("Unplayed")) == set()


def test_a_bound_alarm_that_follows_the_naming_starts_its_remediator_once():
    found = template(bindings={"techmoda/legacy/errors": ["errors", "read"]})
    assert started_by(found, event("techmoda/legacy/errors")) == {"sereno-techmoda-open-incident-1"}


def patterns_of(found):
    """Every event pattern of a template, by the rule's name."""
    rules_of = of_type(found, "Events::Rule").values()
    return {
        one["Properties"]["Name"]: one["Properties"]["EventPattern"]
        for one in rules_of
        if "EventPattern" in one["Properties"]
    }


@pytest.mark.parametrize(
    "example",
    [
        "examples/minimal.yaml",
        "examples/fashion-week.yaml",
        "examples/techmoda/sereno.yaml",
        "examples/techmoda/regions.yaml",
    ],
)
def test_no_event_pattern_has_a_wildcard(example):
    for path, found in [*golden.templates_of(ROOT / example).items(), *golden.rehearsals_of(ROOT / example).items()]:
        for name, pattern in patterns_of(found).items():
            assert list(embedded_limits.wildcards(pattern)) == [], f"{path}: {name}"
            assert "*" not in json.dumps(pattern), f"{path}: {name}"
            assert rules.size(pattern) <= embedded_limits.PATTERN_LIMIT, f"{path}: {name}"


def test_many_bound_alarms_are_spread_over_patterns_within_the_limit():
    many = {f"legacy-alarm-with-a-long-name-{number:04d}": ["errors", "read"] for number in range(200)}
    service = Service.from_json(compiled() | {"bindings": many})
    own, *found = rules.patterns(service, "open_incident")
    assert own["resources"] == [{"prefix": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:techmoda/"}]
    assert len(found) > 1
    assert not any("resources" in pattern for pattern in found)
    assert all(rules.size(pattern) <= 2048 for pattern in found)
    matched = [name for pattern in found for name in pattern["detail"]["alarmName"] if isinstance(name, str)]
    assert matched == list(many)


def test_a_change_of_the_services_stack_reaches_the_round_and_no_other_stack_does():
    def change(stack):
        arn = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/1a2b"
        return {
            "source": "aws.cloudformation",
            "detail-type": "CloudFormation Stack Status Change",
            "account": "123456789012",
            "region": "eu-west-1",
            "detail": {"stack-id": arn, "status-details": {"status": "UPDATE_IN_PROGRESS"}},
        }

    found = template()
    assert started_by(found, change("techmoda")) == {"sereno-techmoda-stack"}
    assert started_by(found, change("techmoda-blue")) == set()
    rule = named(found, "Events::Rule", "Name", "sereno-techmoda-stack")
    assert rule["Properties"]["Targets"][0]["Arn"] == {"Fn::GetAtt": ["Round", "Arn"]}
    assert "sereno-techmoda-stack" not in json.dumps(template(stack=None))


def test_each_rule_may_invoke_its_function_and_nobody_else_may():
    found = template()
    by_url = ("ActionsUrlLeave", "ActionsLeave")
    leaves = [one for key, one in of_type(found, "Lambda::Permission").items() if key not in by_url]
    sources = [one["Properties"]["SourceArn"]["Fn::GetAtt"][0] for one in leaves]
    assert set(sources) == set(of_type(found, "Events::Rule"))
    twice = {one for one in sources if sources.count(one) > 1}
    assert twice <= {"SelfTest1"}, "the self-tests' rule starts several functions, each by its own leave"
    assert {one["Properties"]["Principal"] for one in leaves} == {"events.amazonaws.com"}


def test_what_sns_cannot_deliver_is_kept():
    found = template()
    subscription = found["Resources"]["NoticesSubscription"]["Properties"]
    dead = {"Fn::GetAtt": ["NoticesDead", "Arn"]}
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": dead}
    policy = found["Resources"]["NoticesDeadPolicy"]["Properties"]
    assert policy["Queues"] == [{"Ref": "NoticesDead"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"Service": "sns.amazonaws.com"}, dead)
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}}


def test_an_undeliverable_event_reaches_the_queue_and_the_queue_lets_it_in():
    found = template()
    admitted = found["Resources"]["DeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    arns = admitted["Condition"]["ArnEquals"]["aws:SourceArn"]
    for rule in of_type(found, "Events::Rule").values():
        target = rule["Properties"]["Targets"][0]
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
        name = rule["Properties"]["Name"]
        assert f"arn:aws:events:eu-west-1:123456789012:rule/{name}" in arns


def test_a_failed_handler_reaches_the_queue_before_its_event_is_stale():
    found = template()
    # The widget's is only ever called and waited for.
    for function in of_type(found, "Lambda::Function").keys() - {"Widget"}:
        failures = found["Resources"][f"{function}Failures"]["Properties"]
        assert failures["MaximumEventAgeInSeconds"] <= 900
        assert failures["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}


def test_the_watchman_has_room_of_its_own_and_the_round_runs_alone():
    functions = of_type(template(), "Lambda::Function")
    reserved = {key: one["Properties"]["ReservedConcurrentExecutions"] for key, one in functions.items()}
    assert reserved.pop("Round") == 1
    assert reserved.pop("Notifier") == reserved.pop("Actions") == reserved.pop("Widget") == 2
    assert set(reserved.values()) == {5}
    # A claim lasts 90 s: whoever holds one is over before somebody else may take it.
    assert all(one["Properties"]["Timeout"] <= 60 for one in functions.values())


def test_a_role_holds_what_its_remediator_calls_and_the_round_what_all_call():
    other = made_up("open_incident", permissions=())
    found = template(remediators=HOUSE | {"open_incident": other})

    def actions(function):
        role = found["Resources"][f"{function}Role"]["Properties"]["Policies"][0]["PolicyDocument"]
        return {action for one in role["Statement"] for action in one.get("Action", ())}

    by_name = {
        one["Properties"]["FunctionName"]: actions(key) for key, one in of_type(found, "Lambda::Function").items()
    }
    raising = "lambda:PutFunctionConcurrency"
    assert raising in by_name["sereno-techmoda-raise-concurrency"]
    assert raising not in by_name["sereno-techmoda-open-incident"]
    assert {raising, "cloudwatch:DescribeAlarms"} <= by_name["sereno-techmoda-round"]
    assert "sns:Publish" not in by_name.pop("sereno-techmoda-actions")
    looking = {one for one in by_name.pop("sereno-techmoda-widget") if one.startswith("dynamodb:")}
    reads = ("BatchGetItem", "DescribeContinuousBackups", "GetItem", "Query")
    assert looking == {f"dynamodb:{one}" for one in reads}
    assert all("dynamodb:UpdateItem" in one and "sns:Publish" in one for one in by_name.values())
    assert not {raising, "cloudwatch:DescribeAlarms"} & by_name["sereno-techmoda-notifier"]


def test_only_pages_go_to_people_past_the_notifier():
    found = template()
    page = named(found, "CloudWatch::CompositeAlarm", "AlarmName", HURT.name)["Properties"]
    ticket = named(found, "CloudWatch::Alarm", "AlarmName", THROTTLES.name)["Properties"]
    assert page["AlarmActions"] == [{"Ref": "People"}]
    assert page["OKActions"] == [{"Ref": "People"}]
    assert not ticket.get("AlarmActions")


def test_a_ticket_that_no_play_answers_goes_to_people_itself():
    unanswered = replace(THROTTLES, name="techmoda/read/unknown", what="", target="")
    own = replace(THROTTLES, name="sereno-techmoda/round/throttles", what="", target="")
    note = replace(unanswered, name="techmoda/read/burn-slow-long", what="", severity="info")
    found = template(alarms=[THROTTLES, unanswered, own, note])

    def told(spec):
        return bool(named(found, "CloudWatch::Alarm", "AlarmName", spec.name)["Properties"].get("AlarmActions"))

    assert [told(spec) for spec in (THROTTLES, unanswered, own, note)] == [False, True, True, False]
    playbook = {"throttles": compiled()["playbook"]["throttles"] | {"mode": "off"}}
    found = template(alarms=[THROTTLES], playbook=playbook)
    assert told(THROTTLES)


def test_a_play_that_nothing_can_start_is_refused():
    playbook = compiled()["playbook"]
    with pytest.raises(InvalidInput, match=r"playbook\.throtles: answers no alarm .*did you mean throttles"):
        template(playbook=playbook | {"throtles": playbook["throttles"]})
    template(
        playbook=playbook | {"queue-age": playbook["throttles"]},
        bindings={"Old Queue Alarm": ["queue-age", "read"]},
    )


def test_the_packs_watch_each_function_and_rule_of_the_watch_itself():
    found = template(alarms=None)
    watched = json.dumps([one["Properties"] for one in of_type(found, "CloudWatch::Alarm").values()])
    for kind, field in (("Lambda::Function", "FunctionName"), ("Events::Rule", "Name")):
        for one in of_type(found, kind).values():
            assert f"sereno-techmoda/{one['Properties'][field]}/" in watched


def test_a_composite_waits_for_the_alarms_that_it_names():
    found = template()
    composite = named(found, "CloudWatch::CompositeAlarm", "AlarmName", HURT.name)
    (needed,) = composite["DependsOn"]
    assert found["Resources"][needed]["Properties"]["AlarmName"] == THROTTLES.name


def test_the_ledger_outlives_the_stack():
    ledger = template()["Resources"]["Ledger"]
    assert ledger["DeletionPolicy"] == ledger["UpdateReplacePolicy"] == "Retain"
    assert ledger["Properties"]["DeletionProtectionEnabled"]
    assert ledger["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]


def test_people_are_subscribed():
    subscriptions = [one["Properties"] for one in of_type(template(), "SNS::Subscription").values()]
    mails = [one for one in subscriptions if one["Protocol"] == "email"]
    assert [(one["TopicArn"], one["Endpoint"]) for one in mails] == [({"Ref": "People"}, "oncall@example.com")]
    (queue,) = (one for one in subscriptions if one["Protocol"] == "sqs")
    assert (queue["TopicArn"], queue["RawMessageDelivery"]) == ({"Ref": "Topic"}, True)


def test_a_contacts_address_takes_what_names_them_and_nothing_else():
    contact = {"name": "lead", "after_s": 1200, "email": "lead@example.com"}
    notices = {**compiled().get("notices", {}), "escalation": {"repeat_s": 900, "times": 3, "contacts": [contact]}}
    mails = [
        one["Properties"]
        for one in of_type(template(notices=notices), "SNS::Subscription").values()
        if one["Properties"]["Protocol"] == "email"
    ]
    assert {mail["Endpoint"]: mail.get("FilterPolicy") for mail in mails} == {
        "oncall@example.com": None,
        "lead@example.com": {"contact": ["lead"]},
    }


def test_the_same_service_gives_the_same_template_and_another_configuration_another():
    assert synth.text(template()) == synth.text(template())
    changed = compiled()["objectives"] | {"rto_s": 60}
    assert template()["Metadata"] != template(objectives=changed)["Metadata"]


def test_a_limit_that_no_remediator_knows_is_refused():
    with pytest.raises(InvalidInput, match=r"playbook\.exhaustion\.limits\.ceiling: is no limit here"):
        template(remediators={name: replace(one, params={}) for name, one in HOUSE.items()})


def test_a_limit_outside_its_bounds_is_refused():
    narrow = {"ceiling": Param(50, "executions", minimum=1, maximum=100)}
    with pytest.raises(InvalidInput, match=r'limits\.ceiling: "400" is outside 1\.\.100 \(executions\)'):
        template(remediators={name: replace(one, params=narrow) for name, one in HOUSE.items()})


def test_a_remediator_that_is_not_there_is_named():
    with pytest.raises(InvalidInput, match=r'playbook\.errors: "open_incident" is no remediator'):
        template(remediators={"raise_concurrency": HOUSE["raise_concurrency"]})


def test_a_template_over_the_limit_is_refused_with_its_counts():
    many = [replace(THROTTLES, name=f"techmoda/f{number}/throttles", target="", what="") for number in range(500)]
    with pytest.raises(InvalidInput, match=r'"5\d\d" resources, CloudFormation takes 500 \(500 CloudWatch::Alarm'):
        template(alarms=many)


def test_names_stay_within_lambdas_limit_and_apart():
    service = Service.from_json(compiled() | {"service": "a" * 30})
    first, second = (names.function(service, f"a_remediator_with_quite_a_long_name_{one}") for one in "xy")
    assert len(first) == 64
    assert first != second
    assert len(names.rule(service, "a_remediator_with_quite_a_long_name_x", 12)) <= 64


KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def test_a_customer_key_encrypts_all_that_is_kept_and_is_the_only_one_that_roles_may_use():
    found = resolve.resources(template(), {"KmsKeyArn": KEY})
    fields = {
        "AWS::SNS::Topic": lambda one: one["KmsMasterKeyId"],
        "AWS::SQS::Queue": lambda one: one["KmsMasterKeyId"],
        "AWS::DynamoDB::Table": lambda one: one["SSESpecification"]["KMSMasterKeyId"],
        "AWS::Logs::LogGroup": lambda one: one["KmsKeyId"],
        "AWS::Lambda::Function": lambda one: one["KmsKeyArn"],
    }
    kept = [one for one in found.values() if one["Type"] in fields]
    assert {one["Type"] for one in kept} == fields.keys()
    assert {fields[one["Type"]](one["Properties"]) for one in kept} == {KEY}
    for role in (one for one in found.values() if one["Type"] == "AWS::IAM::Role"):
        statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        own = [one for one in statements if any(action.startswith("kms:") for action in one["Action"])]
        assert [(one["Action"], one["Resource"]) for one in own] == [(["kms:Decrypt", "kms:GenerateDataKey"], KEY)]


def test_without_a_key_nothing_names_one_and_the_topic_is_open_to_cloudwatch():
    found = json.dumps(resolve.resources(template(), {}))
    # CloudWatch cannot use the managed key of SNS, so the topic has none at all.
    assert "kms" not in found.lower().replace("sqsmanagedsse", "")
    assert '"SqsManagedSseEnabled": true' in found
