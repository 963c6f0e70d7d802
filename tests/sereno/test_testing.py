"""The fakes that Sereno ships do what their users rely on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sereno.testing import CollectedTelemetry, Crash, ManualClock, WatchedAws


class Shop:
    """A client that counts what reached it."""

    def __init__(self):
        self.sold = 0

    def put_order(self, **params):
        self.sold += 1
        return params

    def get_order(self, **params):
        return self.sold


class OneShop:
    def __init__(self):
        self.shop = Shop()

    def client(self, service, region=None):
        return self.shop


def test_a_clock_stands_still_until_it_is_moved():
    clock = ManualClock(datetime(2026, 9, 29, 12, 0, tzinfo=UTC))
    assert clock.now() == clock.now()
    assert clock.forward(90) == datetime(2026, 9, 29, 12, 1, 30, tzinfo=UTC) == clock.now()


def test_telemetry_sums_what_was_counted():
    telemetry = CollectedTelemetry()
    telemetry.count("Refused", reason="STALE")
    telemetry.count("Refused", 2)
    telemetry.log("warning", "could not look", id="r1")
    telemetry.flush()
    assert telemetry.total("Refused") == 3
    assert telemetry.logs == [("warning", "could not look", {"id": "r1"})]


def test_calls_are_passed_on_counted_and_told_apart_by_whether_they_change_anything():
    aws = WatchedAws(OneShop())
    assert aws.client("shop").put_order(size="M") == {"size": "M"}
    aws.client("shop").get_order()
    aws.client("dynamodb").put_order()
    assert aws.calls == ["shop.put_order", "shop.get_order", "dynamodb.put_order"]
    assert aws.mutating() == ["shop.put_order"]


@pytest.mark.parametrize(("when", "sold"), [("before", 0), ("after", 1)])
def test_a_meddler_strikes_before_the_call_or_after_its_effect(when, sold):
    aws = WatchedAws(OneShop())
    setattr(aws, when, lambda number, label: Crash(label) if number == 1 else None)
    with pytest.raises(Crash, match=r"shop\.put_order"):
        aws.client("shop").put_order()
    assert aws.inner.shop.sold == sold
    assert aws.client("shop").put_order() == {}


def test_no_ordinary_handler_survives_the_end_of_a_process():
    assert not issubclass(Crash, Exception)
