"""The deep health check: right about the table, and quick either way."""

import time

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError


def test_a_table_that_answers_is_healthy(table, call):
    answer = call("GET", "/health")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert {key: answer.body[key] for key in ("status", "release", "region")} == {
        "status": "healthy",
        "release": "7",
        "region": "eu-west-1",
    }
    assert answer.body["table_ms"] > 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetItem"),
            "the table answers ThrottlingException",
        ),
        (
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "arn:secret"}}, "GetItem"),
            "the table answers AccessDeniedException",
        ),
        (
            ReadTimeoutError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com"),
            "the table cannot be reached: ReadTimeoutError",
        ),
    ],
)
def test_a_table_that_does_not_answer_is_503_with_a_reason_and_no_details(call, aws_answers, error, reason):
    aws_answers(error)
    answer = call("GET", "/health")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert (answer.body["status"], answer.body["reason"]) == ("unhealthy", reason)
    assert "secret" not in str(answer.body)


def test_a_missing_table_is_unhealthy(table, call, monkeypatch):
    monkeypatch.setenv("TABLE_NAME", "gone")
    assert call("GET", "/health").body["reason"] == "the table answers ResourceNotFoundException"


def test_an_endpoint_that_refuses_is_reported_within_the_bound(load, call, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    started = time.perf_counter()
    answer = call("GET", "/health")
    assert time.perf_counter() - started < 3
    assert answer.body["reason"] == "the table cannot be reached: EndpointConnectionError"
