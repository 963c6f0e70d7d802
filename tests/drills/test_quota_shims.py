"""Service Quotas: what is, what is asked for, and that one request a quota is open at a time."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from drills import shims
from drills.metrics import MetricStore
from remediators.clients import BotocoreAws

NOON = 1_795_521_600.0
CONCURRENCY = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}


@pytest.fixture
def client():
    with mock_aws():
        answers = shims.Answers(MetricStore(), lambda: NOON, quota=1200)
        with shims.installed(answers):
            yield BotocoreAws("eu-west-1").client("service-quotas")


def test_lambdas_quota_is_the_drills_and_others_are_awss_defaults(client):
    quota = client.get_service_quota(**CONCURRENCY)["Quota"]
    assert (quota["Value"], quota["Adjustable"], quota["QuotaName"]) == (1200, True, "Concurrent executions")
    reads = client.get_aws_default_service_quota(ServiceCode="dynamodb", QuotaCode="L-CF0CBE56")["Quota"]
    assert reads["Value"] == 40_000


def test_a_request_stays_open_and_no_second_one_is_taken(client):
    made = client.request_service_quota_increase(**CONCURRENCY, DesiredValue=2000)["RequestedQuota"]
    assert (made["Status"], made["DesiredValue"]) == ("PENDING", 2000)
    history = client.list_requested_service_quota_change_history_by_quota(**CONCURRENCY)["RequestedQuotas"]
    assert [one["Id"] for one in history] == [made["Id"]]
    closed = client.list_requested_service_quota_change_history_by_quota(**CONCURRENCY, Status="CASE_CLOSED")
    assert closed["RequestedQuotas"] == []
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        client.request_service_quota_increase(**CONCURRENCY, DesiredValue=3000)
    assert client.get_service_quota(**CONCURRENCY)["Quota"]["Value"] == 1200, "AWS has not answered yet"


def test_less_than_there_is_cannot_be_asked_for_nor_what_does_not_exist(client):
    with pytest.raises(ClientError, match="IllegalArgumentException"):
        client.request_service_quota_increase(**CONCURRENCY, DesiredValue=1200)
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        client.get_service_quota(ServiceCode="lambda", QuotaCode="L-00000000")


def test_a_quota_that_was_never_changed_has_no_applied_value_only_its_default(client):
    never = {"ServiceCode": "dynamodb", "QuotaCode": "L-CF0CBE56"}
    with pytest.raises(client.exceptions.NoSuchResourceException):
        client.get_service_quota(**never)
    assert client.get_aws_default_service_quota(**never)["Quota"]["Value"] == 40_000
    assert client.get_service_quota(**CONCURRENCY)["Quota"]["Value"] == 1200, "this one was changed"
    assert client.get_aws_default_service_quota(**CONCURRENCY)["Quota"]["Value"] == 1000
