"""Anything may happen in any order: hypothesis plays the world, `Life` (in conftest) holds what must be true.

Events come once or twice, calls fail or end the process, rounds overlap, clocks differ, AWS takes minutes over a
table, surges are planned, prolonged and called off, demand rises and falls, operators wish and change modes, somebody
else changes the limit, time passes. Whatever it was, when all is calm again everything comes to an end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from sereno.model import Mode, iso
from sereno.service import PlannedEvent

KINDS = ("throttled", "denied", "silence-before", "silence-after", "crash-before", "crash-after")
# Between looking at a value and changing it there is no lock on AWS.
CHANGES = ("lambda.put_function_concurrency", "lambda.delete_function_concurrency", "dynamodb.update_table")
WHATS = st.sampled_from(("exhaustion", "throttles"))
# After the last fault: two hours hold every patience (approval 30 min, undo 30 min) and a change on top of another.
BOUND = 120


def machine(make_life, event, fault) -> type[RuleBasedStateMachine]:
    """The machine, playing on a house of its own each time."""

    class World(RuleBasedStateMachine):
        @initialize(
            joint=st.booleans(),
            table_minutes=st.integers(0, 4),
            ahead_s=st.sampled_from((0, 0, 120, -120)),
            per_day=st.sampled_from((2, 50)),
        )
        def begin(self, joint, table_minutes, ahead_s, per_day):
            self.life = make_life(joint=joint, table_minutes=table_minutes, ahead_s=ahead_s, per_day=per_day)
            self.aws = self.life.house.aws

        @rule(what=WHATS, times=st.integers(1, 2), age_s=st.integers(0, 16 * 60))
        def an_event_comes(self, what, times, age_s):
            """Now or late, once or twice."""
            coming = event(what, at=self.life.house.clock.now() - timedelta(seconds=age_s))
            for _ in range(times):
                self.life.deliver(coming)
            self.life.check()

        @rule(what=WHATS, red=st.booleans())
        def an_alarm_changes(self, what, red):
            self.life.house.red(what) if red else self.life.house.green()

        @rule(in_min=st.integers(-5, 20), minutes=st.integers(2, 20), factor=st.sampled_from((2.0, 9.0, 40.0)))
        def an_event_is_planned_or_planned_otherwise(self, in_min, minutes, factor):
            starts = self.life.house.clock.now() + timedelta(minutes=in_min)
            times = {"starts": iso(starts), "ends": iso(starts + timedelta(minutes=minutes))}
            self._plan(PlannedEvent("Fashion Week", **times, factor=factor, prewarm_s=300))

        @rule()
        def the_event_is_called_off(self):
            self._plan()

        def _plan(self, *events):
            watch = self.life.house.watch
            self.life.house.watch = replace(watch, service=replace(watch.service, events=events))

        @rule(ahead=st.integers(1, 25))
        def another_round_will_overlap_this_work(self, ahead):
            at = len(self.aws.calls) + ahead

            def meddle(number, label):
                if number == at and label not in CHANGES:
                    self.aws.before = None
                    self.life.round("another-round")

            self.aws.before, self.aws.after = meddle, None

        @rule(factor=st.sampled_from((1.0, 3.0, 8.0, 12.0)))
        def demand_changes(self, factor):
            self.life.factor = factor

        @rule(minutes=st.integers(1, 6))
        def time_passes(self, minutes):
            for _ in range(minutes):
                self.life.minute()

        @rule(ahead=st.integers(1, 25), kind=st.sampled_from(KINDS))
        def a_call_will_fail(self, ahead, kind):
            trouble = fault(len(self.aws.calls) + ahead, kind)
            self.aws.before, self.aws.after = trouble.before, trouble.after

        @rule(ahead=st.integers(1, 4), value=st.sampled_from((100, 150, 300)))
        def somebody_else_will_change_the_limit_just_before_it_is_read(self, ahead, value):
            """Between reading and writing there is no lock on AWS; up to the reading, all is seen."""
            self.life.meddled = True
            self._once("lambda.get_function_concurrency", ahead, lambda: self.life.house.set_reserved(value))

        @rule(ahead=st.integers(1, 4), wish=st.sampled_from(("keep", "revert")))
        def an_operator_will_wish_in_the_midst_of_the_work(self, ahead, wish):
            def wishes():
                for one in self.life.house.all()[-1:]:
                    self.life.house.books.wish(one.id, wish, "eva", self.life.house.clock.now())

            self.life.reverts_asked_for |= wish == "revert"
            self._once("sns.publish", ahead, wishes)

        def _once(self, label, ahead, happens):
            """The thing happens before the call of this name, `ahead` calls of that name from now."""
            left = [ahead]

            def meddle(number, called):
                left[0] -= called == label
                if called == label and left[0] == 0:
                    happens()

            self.aws.before, self.aws.after = meddle, None

        @precondition(lambda self: self.life.house.all())
        @rule(wish=st.sampled_from(("keep", "revert", "approve")), which=st.integers(0, 3))
        def an_operator_wishes(self, wish, which):
            known = self.life.house.all()
            one = known[which % len(known)]
            self.life.house.books.wish(one.id, wish, "ana", self.life.house.clock.now())
            self.life.reverts_asked_for |= wish == "revert"

        @rule(mode=st.sampled_from(list(Mode)), whom=st.sampled_from(("*", "raise_concurrency", "raise_capacity")))
        def an_operator_sets_a_mode(self, mode, whom):
            self.life.house.books.set_mode(whom, mode, "ana", self.life.house.clock.now())

        @rule(value=st.sampled_from((0, 100, 120, 150, 300)))
        def somebody_else_changes_the_limit(self, value):
            self.life.house.set_reserved(value)
            self.life.meddled = True

        def teardown(self):
            if not hasattr(self, "life"):
                return
            self.aws.before = self.aws.after = None
            self.life.factor = 1.0
            self.life.house.green()
            self._plan()
            self.life.to_the_end(BOUND)

    return World


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
@pytest.mark.parametrize("examples", [40, pytest.param(500, marks=pytest.mark.evidence)])
def test_whatever_happens_in_whatever_order_everything_comes_to_its_end(make_life, event, fault, examples):
    run_state_machine_as_test(
        machine(make_life, event, fault),
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
