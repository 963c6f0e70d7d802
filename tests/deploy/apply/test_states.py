"""Every status a stack can have leads somewhere."""

from __future__ import annotations

import botocore.session
import pytest

from deploy.apply import states
from deploy.apply.states import Way


def every_status():
    model = botocore.session.get_session().get_service_model("cloudformation")
    return model.shape_for("StackStatus").enum


@pytest.mark.parametrize("status", every_status())
def test_each_status_has_a_way_and_a_why(status):
    found = states.advice(status)
    assert status in found.why or status == "REVIEW_IN_PROGRESS"
    assert (found.way is Way.WAIT) == (status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS")


@pytest.mark.parametrize(
    ("status", "way"),
    [
        (None, Way.CREATE),
        ("REVIEW_IN_PROGRESS", Way.CREATE),
        ("ROLLBACK_COMPLETE", Way.RECREATE),
        ("UPDATE_ROLLBACK_FAILED", Way.CONTINUE_ROLLBACK),
        ("UPDATE_ROLLBACK_COMPLETE", Way.UPDATE),
        ("UPDATE_IN_PROGRESS", Way.WAIT),
        ("DELETE_FAILED", Way.REFUSE),
    ],
)
def test_the_way_from_a_status(status, way):
    assert states.advice(status).way is way


def test_a_rollback_that_went_well_is_no_deployment_that_did():
    assert states.over("UPDATE_ROLLBACK_COMPLETE")
    assert not states.well("UPDATE_ROLLBACK_COMPLETE")
    assert not states.over("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
