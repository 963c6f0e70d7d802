"""A drill's result in the shape of a surge, made by a little arithmetic: for looking at reports, not at Sereno."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sereno.model import instant, iso

START = "2026-11-24T09:30:00.000Z"
READ, WRITE, SEARCH = "techmoda-catalogue-read", "techmoda-catalogue-write", "techmoda-search"
ACCOUNT, REGION = "111122223333", "eu-west-1"
READ_S = 0.185  # seconds a read takes: at 648 requests a second 120 executions run at once
LIMIT, RAISED = 120, 227


def surge(hours: float = 2.0, seed: int = 7) -> dict:
    """Normal 120 requests a second, a ramp to 1,080 over ten minutes from minute 10, a plateau of an hour, back.

    More than two hours repeat the surge, so that a day of drill is busy all day.
    """
    chance = random.Random(seed)
    times = list(range(0, int(hours * 3600), 10))
    offered = [round(_demand(second % 7200) * chance.uniform(0.97, 1.03), 1) for second in times]
    attended = _side(times, offered, lambda second: RAISED if 780 <= second % 7200 < 6000 else LIMIT)
    unattended = _side(times, offered, lambda second: LIMIT)
    return {
        "scenario": "surge-ramp",
        "title": "Fashion Week: nine times the traffic",
        "story": "The collection goes live and the catalogue's traffic grows ninefold within ten minutes, "
        "stays for an hour, and goes. The read function's limit was set for an ordinary day.",
        "seed": seed,
        "service": "techmoda",
        "start": START,
        "duration_s": int(hours * 3600),
        "commit": "51aee70",
        "objectives": [
            {"name": "availability", "target": 0.9999, "measured": 1.0, "met": True, "detail": "requests served"},
            {"name": "p99", "target": 800, "measured": 412, "met": True, "detail": "slowest 1 % of requests"},
            {
                "name": "raised-before",
                "target": 25,
                "measured": 150,
                "met": True,
                "detail": "before the first throttle without Sereno",
            },
            {"name": "all-reverted", "target": "every value back", "measured": 2, "met": True, "detail": ""},
        ],
        "requests": _requests(attended, p99=412),
        "without": {
            "requests": _requests(unattended, p99=2950, throttled=True),
            "first_throttle_s": 930,
            "objectives": [
                {"name": "availability", "target": 0.9999, "measured": 0.7104, "met": False, "detail": ""},
                {"name": "p99", "target": 800, "measured": 2950, "met": False, "detail": ""},
            ],
        },
        "first_throttle_s": None,
        "raised_s": 780,
        "recovered_s": 0.0,
        "signals": [
            {
                "at_s": 774,
                "id": "s1",
                "name": f"techmoda/{READ}/concurrency",
                "what": "concurrency",
                "state": "ALARM",
                "reason": "",
            },
            {
                "at_s": 1500,
                "id": "s2",
                "name": "AWS_LAMBDA_OPERATIONAL_NOTIFICATION",
                "what": "health",
                "state": "open",
                "reason": "Elevated latency in one zone of eu-west-1; no action is bound to it.",
            },
        ],
        "alarms": _alarms(),
        "remediations": _remediations(),
        "series": {"step_s": 10, "t": times, "with": attended, "without": unattended},
        "notifications": [
            {
                "at_s": 781,
                "subject": "techmoda: read function raised from 120 to 227",
                "text": "Demand reaches the limit in about 3 minutes. It will be taken back by itself.",
            },
            {"at_s": 6062, "subject": "techmoda: read function is back to 120", "text": "All is calm."},
        ],
    }


def _demand(second: float) -> float:
    if second < 600 or second >= 5400:
        return 120.0
    if second < 1200:
        return 120 + 960 * (second - 600) / 600
    return 1080.0 if second < 4800 else 1080 - 960 * (second - 4800) / 600


def _side(times: list[int], offered: list[float], limit_at) -> dict:
    limits = [limit_at(second) for second in times]
    served = [min(rate, limit / READ_S) for rate, limit in zip(offered, limits, strict=True)]
    return {
        "offered": offered,
        "served": [round(rate, 1) for rate in served],
        "failed": [round(rate - good, 1) for rate, good in zip(offered, served, strict=True)],
        "functions": {
            WRITE: {"concurrency": [round(rate * 0.012, 1) for rate in offered], "limit": [20] * len(times)},
            READ: {"concurrency": [round(rate * READ_S, 1) for rate in served], "limit": limits},
            SEARCH: {"concurrency": [round(rate * 0.03, 1) for rate in offered], "limit": [None] * len(times)},
        },
    }


def _requests(side: dict, *, p99: float, throttled: bool = False) -> dict:
    offered, served, failed = (round(sum(side[key]) * 10) for key in ("offered", "served", "failed"))
    return {
        "offered": offered,
        "served": served,
        "failed": failed,
        "throttled_attempts": failed * 3 if throttled else 0,
        "served_on_retry": 41_220 if throttled else 0,
        "p99_ms": p99,
        "availability": served / offered,
    }


def _alarms() -> list[dict]:
    def change(at_s: float, state: str, reason: str = "") -> dict:
        return {"at_s": at_s, "state": state, "reason": reason}

    def quiet(name: str, severity: str = "page") -> dict:
        return {
            "name": f"techmoda/{name}",
            "what": name.rpartition("/")[2],
            "severity": severity,
            "transitions": [change(60 + len(name), "OK")],  # each alarm has its own second
        }

    crossed = "Threshold Crossed: 3 out of the last 3 datapoints were greater than the threshold (84.0)."
    return [
        {
            "name": f"techmoda/{READ}/concurrency",
            "what": "concurrency",
            "severity": "act",
            "transitions": [
                change(0, "INSUFFICIENT_DATA"),
                change(60, "OK"),
                change(774, "ALARM", crossed),
                change(5340, "OK", "Threshold no longer crossed."),
            ],
        },
        {
            "name": "techmoda/catalogue/read-capacity",
            "what": "read-capacity",
            "severity": "act",
            "transitions": [change(60, "OK"), change(840, "ALARM", crossed), change(5400, "OK")],
        },
        {
            "name": "techmoda/api/latency",
            "what": "latency",
            "severity": "ticket",
            "transitions": [
                change(60, "OK"),
                change(1140, "ALARM", crossed),
                change(1320, "OK"),
                change(2100, "ALARM", crossed),
                change(2220, "OK"),
            ],
        },
        quiet("api/5xx"),
        quiet(f"{READ}/throttles"),
        quiet(f"{READ}/errors"),
        quiet(f"{WRITE}/errors", "ticket"),
        quiet(f"{SEARCH}/errors", "ticket"),
    ]


def _remediations() -> list[dict]:
    begin = instant(START)
    raise_limit = {
        "service": "lambda",
        "operation": "put_function_concurrency",
        "params": {"FunctionName": READ, "ReservedConcurrentExecutions": RAISED},
    }
    lower_limit = {
        **raise_limit,
        "params": {"FunctionName": READ, "ReservedConcurrentExecutions": LIMIT},
    }
    raise_table = {
        "service": "dynamodb",
        "operation": "update_table",
        "params": {
            "TableName": "techmoda-catalogue",
            "ProvisionedThroughput": {"ReadCapacityUnits": 1400, "WriteCapacityUnits": 50},
        },
    }
    lower_table = {
        **raise_table,
        "params": {
            "TableName": "techmoda-catalogue",
            "ProvisionedThroughput": {"ReadCapacityUnits": 400, "WriteCapacityUnits": 50},
        },
    }
    lived = lambda at, hold: [  # noqa: E731
        _event(begin, at, "CLAIMED", "target free, cooldown over, budget left"),
        _event(begin, at + 1, "PLANNED", "recorded before anything is done"),
        _event(begin, at + 1, "APPLYING"),
        _event(begin, at + 2, "VERIFYING", "the setting was taken"),
        _event(begin, at + 60, "HOLDING", "no throttle since"),
        _event(begin, hold, "REVERTING", "peak demand of the hold fits in 70 % of the value before"),
        _event(begin, hold + 1, "REVERTED", "the live value is the value before"),
    ]
    gates = [
        ["mode", {"ok": True, "reason": "OK", "detail": "auto"}],
        ["headroom", {"ok": True, "reason": "OK", "detail": "651 of the account's 1,000 stay free"}],
        ["cost", {"ok": True, "reason": "OK", "detail": "$0.00 of the day's $100.00"}],
        ["cause", {"ok": True, "reason": "OK", "detail": "calls are as fast as before: it is demand"}],
    ]
    return [
        {
            "id": "rem-0001",
            "remediator": "lambda_concurrency",
            "target": _target("function", READ),
            "status": "REVERTED",
            "reason": "OK",
            "mode": "auto",
            "what": "concurrency",
            "at_s": 779,
            "plan": {
                "reason": "Demand grows by 17 executions a minute and reaches the limit of 120 at about 15:30.",
                "risk": "Takes 107 executions from the account's unreserved pool.",
                "monthly_cost": 0.0,
                "steps": [
                    {
                        "do": raise_limit,
                        "why": "twice the demand expected in five minutes, inside the ceiling of 300",
                        "setting": "reserved_concurrency",
                        "before": LIMIT,
                        "after": RAISED,
                        "undo": lower_limit,
                    }
                ],
                "gates": gates,
            },
            "events": lived(779, 6000),
        },
        {
            "id": "rem-0002",
            "remediator": "table_capacity",
            "target": _target("table", "techmoda-catalogue"),
            "status": "REVERTED",
            "reason": "OK",
            "mode": "auto",
            "what": "read-capacity",
            "at_s": 845,
            "plan": {
                "reason": "Consumed read capacity is 82 % of provisioned and growing.",
                "risk": "A decrease counts towards the table's daily limit of 27.",
                "monthly_cost": 94.9,
                "steps": [
                    {
                        "do": raise_table,
                        "why": "the function's new limit can read this much",
                        "setting": "read_capacity",
                        "before": 400,
                        "after": 1400,
                        "undo": lower_table,
                    }
                ],
                "gates": gates[:3],
            },
            "events": lived(845, 6030),
        },
        {
            "id": "rem-0003",
            "remediator": "table_warmth",
            "target": _target("table", "techmoda-catalogue"),
            "status": "OBSERVED",
            "reason": "OK",
            "mode": "observe",
            "what": "read-capacity",
            "at_s": 846,
            "plan": {
                "reason": "The partition's instant capability would be met by a doubling.",
                "risk": "A one-off charge that cannot be taken back.",
                "monthly_cost": 0.004,
                "steps": [
                    {
                        "do": {**raise_table, "params": {"TableName": "techmoda-catalogue"}},
                        "why": "warm before the second wave",
                        "setting": "warm_read_units",
                        "before": None,
                        "after": 12_000,
                        "undo": None,
                    }
                ],
                "gates": [["mode", {"ok": False, "reason": "MODE_OFF", "detail": "observe: plan and tell"}]],
            },
            "events": [
                _event(begin, 846, "CLAIMED"),
                _event(begin, 847, "OBSERVED", "would have called dynamodb.update_table"),
            ],
        },
        *(_skipped(begin, index, at, reason) for index, (at, reason) in enumerate(_REFUSALS, start=4)),
    ]


_REFUSALS = (
    (835, "TARGET_BUSY"),
    (895, "TARGET_BUSY"),
    (955, "COOLDOWN"),
    (1145, "NOT_DEMAND"),
    (2105, "NOT_DEMAND"),
)


def _skipped(begin: datetime, index: int, at: float, reason: str) -> dict:
    return {
        "id": f"rem-{index:04d}",
        "remediator": "lambda_concurrency",
        "target": _target("function", READ),
        "status": "SKIPPED",
        "reason": reason,
        "mode": "auto",
        "what": "concurrency",
        "at_s": at,
        "plan": None,
        "events": [_event(begin, at, "SKIPPED", f"refused: {reason}")],
    }


def _target(kind: str, name: str) -> dict:
    return {"kind": kind, "name": name, "region": REGION, "account": ACCOUNT}


def _event(begin: datetime, at_s: float, phase: str, detail: str = "") -> dict:
    moment = iso(begin + timedelta(seconds=at_s))
    return {"at_s": at_s, "at": moment, "phase": phase, "detail": detail, "by": "sereno"}
