"""What Slack refuses is shown another way at once, and a thread's first message is the incident as it stands."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from remediators.notifier.handler import slack_channel
from remediators.notifier.notice import of
from remediators.notifier.secrets import Secrets
from remediators.notifier.slack import MENDS
from remediators.notifier.slack_blocks import cut, verbs_of
from sereno.service import Notices, Slack

SLACK = Slack("C0123456789", "shop/slack", ("U0123456789",), {"page": ("S0123456789", "here"), "ticket": ()})
NOTICES = Notices(slack=SLACK, page_url="https://on-call.example.com")
# https://docs.slack.dev/reference/methods/chat.update#errors
NOT_EDITABLE = ("cant_update_message", "edit_window_closed", "update_failed", "message_not_found")
NOT_THIS_FORM = ("msg_too_long", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
INCIDENT = "incident-20260929T120000-2f57e983ab"


@pytest.fixture
def station(desk, slack_server, paper_secrets):
    """A notifier whose one channel is Slack, made as the Lambda makes it."""
    made = desk(channels={}, notices=NOTICES)
    secrets = Secrets(
        paper_secrets(**{"shop/slack": {"token": "xoxb-planted-token", "signing_secret": "s"}}), made.clock
    )
    channel = slack_channel(secrets, NOTICES, SLACK)
    channel._base_url = slack_server.url
    made.channels["slack"] = channel
    return made


def tell(station, *bodies, owner="one"):
    return {one.number: one.after_s for one in station.notifier(owner).tell(list(enumerate(of(b) for b in bodies)))}


def row(station, **attributes):
    """The incident's row in the ledger, as the reconciler and people leave it."""
    plain = {"title": {"S": "techmoda-read: exhaustion"}, "opened": {"N": "1790683200"}, "stage": {"S": "OPEN"}}
    keys = {"pk": {"S": f"I#{INCIDENT}"}, "sk": {"S": "INCIDENT"}}
    station.table.rows[f"I#{INCIDENT}", "INCIDENT"] = keys | plain | {n: {"S": v} for n, v in attributes.items()}


def shown(message):
    """Everything that people read in a message."""
    parts = [part for block in message["blocks"] for part in (block.get("text"), *block.get("fields", ()))]
    parts += [part for block in message["blocks"] if block["type"] == "context" for part in block["elements"]]
    return "\n".join(part["text"] for part in parts if part)


# -- a refused edit


@pytest.mark.parametrize("code", NOT_EDITABLE)
def test_a_first_message_that_cannot_be_edited_is_followed_by_a_reply_and_a_new_thread_at_once(
    station, slack_server, message, code
):
    tell(station, message("VERIFYING", 3))
    slack_server.refused = {"chat_update": code}
    assert tell(station, message("ESCALATED", 4, id="r2", key="r2#000004")) == {}, "nothing waits for 900 s"
    old, new = slack_server.heads
    assert "A person must look" in shown(new)
    (reply,) = slack_server.replies
    assert reply["thread_ts"] == old["ts"]
    assert "goes on in a new one" in reply["text"]
    slack_server.refused = {}
    assert tell(station, message("REVERTED", 5, id="r2", key="r2#000005")) == {}
    assert len(slack_server.heads) == 2
    assert slack_server.replies[-1]["thread_ts"] == new["ts"], "the new thread goes on"


def test_where_no_message_can_be_edited_there_is_one_new_thread_and_then_replies_with_their_own_buttons(
    station, slack_server, message
):
    tell(station, message("VERIFYING", 3))
    slack_server.refused = {"chat_update": "edit_window_closed"}
    for number in range(4, 8):
        assert tell(station, message("AWAITING_APPROVAL", number, id=f"r{number}", key=f"r{number}#1")) == {}
    assert len(slack_server.heads) == 2
    assert [verbs_of(one["blocks"])[:2] for one in slack_server.replies[-3:]] == [["approve", "refuse"]] * 3


@pytest.mark.parametrize("code", NOT_THIS_FORM)
@pytest.mark.parametrize("method", ["chat_postMessage", "chat_update"])
def test_blocks_that_slack_does_not_take_are_shown_as_text(station, slack_server, message, code, method):
    tell(station, message("VERIFYING", 3))
    slack_server.refused_blocks = {method: code}
    page = message("AWAITING_APPROVAL", 4, do="sereno approve r1")
    assert tell(station, page) == {}
    last = slack_server.replies[-1] if method == "chat_postMessage" else slack_server.heads[0]
    assert last["blocks"] == []
    assert "Nothing has been changed yet" in last["text"]
    if method == "chat_postMessage":
        assert "sereno approve r1" in last["text"], "the command stands in for the buttons"
    assert len(slack_server.heads) == 1


def test_a_first_page_whose_blocks_are_refused_still_mentions_people(station, slack_server, message):
    slack_server.refused_blocks = {"chat_postMessage": "invalid_blocks"}
    assert tell(station, message("ESCALATED", 3)) == {}
    (head,) = slack_server.heads
    assert head["text"].startswith("<!subteam^S0123456789> <!here> ")


# -- who is woken


def test_the_first_page_of_a_thread_mentions_people_in_its_first_message(station, slack_server, message):
    tell(station, message("ESCALATED", 3))
    (head,) = slack_server.heads
    assert "<!subteam^S0123456789> <!here>" in shown(head)
    assert not head.get("reply_broadcast")


def test_a_page_in_an_existing_thread_is_broadcast_and_mentions_people_once(station, slack_server, message):
    tell(station, message("VERIFYING", 3))
    assert "<!" not in shown(slack_server.heads[0])
    tell(station, message("ESCALATED", 4))
    tell(station, message("FAILED", 5, id="r2", key="r2#5"))
    tell(station, message("KEPT", 6))
    first, second, calm = slack_server.replies
    assert [bool(one.get("reply_broadcast")) for one in (first, second, calm)] == [True, True, False]
    assert "<!subteam^S0123456789> <!here>" in shown(first)
    assert "<!" not in shown(second) + shown(calm)


# -- the first message is the incident as it stands


def test_another_alarms_news_takes_neither_owner_nor_question_from_the_first_message(station, slack_server, message):
    row(station)
    tell(station, message("AWAITING_APPROVAL", 3))
    row(station, stage="ACKNOWLEDGED", owner="ana")
    tell(station, message("SKIPPED", 2, id="r2", key="r2#2", alarm="techmoda/read/throttles", code="TARGET_BUSY"))
    (head,) = slack_server.heads
    assert head["blocks"][0]["text"]["text"] == ":rotating_light: techmoda-read: exhaustion: taken by ana"
    assert "ana has it" in shown(head)
    assert "may it change techmoda-read" in shown(head)
    assert "Sereno did nothing" not in shown(head)
    assert verbs_of(head["blocks"]) == ["approve", "refuse", "resolve", "mute"]


def test_an_answered_question_leaves_the_first_message_and_the_open_one_stays(station, slack_server, message):
    tell(station, message("AWAITING_APPROVAL", 3), message("AWAITING_APPROVAL", 3, id="r2", key="r2#3"))
    assert verbs_of(slack_server.heads[0]["blocks"]) == [
        *("approve", "refuse", "approve", "refuse"),
        *("ack", "mute"),
    ]
    tell(station, message("SKIPPED", 4, code="AWAITING_APPROVAL"))
    (head,) = slack_server.heads
    (block,) = [one for one in head["blocks"] if one["type"] == "actions"]
    ids = {
        json.loads(one["value"])["id"]
        for one in block["elements"]
        if one["action_id"] in ("sereno:approve", "sereno:refuse")
    }
    assert ids == {"r2"}


def test_replies_have_no_buttons_that_could_be_out_of_date(station, slack_server, message):
    tell(station, message("VERIFYING", 3))
    for news in (message("HOLDING", 4), message("AWAITING_APPROVAL", 2, id="r2", key="r2#2")):
        tell(station, news)
    assert [verbs_of(one["blocks"]) for one in slack_server.replies] == [[], []]
    assert "Answer with the buttons of the thread's first message" in shown(slack_server.replies[1])
    assert verbs_of(slack_server.heads[0]["blocks"])[0] == "approve", "the question comes before the active change"


def test_what_the_first_message_shows_survives_the_process(station, slack_server, message):
    tell(station, message("AWAITING_APPROVAL", 3), owner="first")
    tell(station, message("SKIPPED", 2, id="r2", key="r2#2"), owner="second")
    assert "approve" in verbs_of(slack_server.heads[0]["blocks"])


def test_the_first_page_has_the_measured_reason_and_a_question_its_cost(station, slack_server, message):
    reason = "Threshold Crossed: 3 datapoints [23.0, 24.0, 30.0] were greater than the threshold (1.0)."
    page = message("ESCALATED", 3, remediator="open_incident", changes=[], reason=reason, detail=reason)
    tell(station, page)
    assert "techmoda/read/exhaustion is in ALARM. Threshold Crossed: 3 datapoints" in shown(slack_server.heads[0])
    tell(station, message("AWAITING_APPROVAL", 2, id="r2", key="r2#2", cost_per_month=1234.5))
    assert "about 1,234.50 USD a month" in shown(slack_server.heads[0])


def test_who_approved_is_told_to_everybody(station, slack_server, message):
    tell(station, message("AWAITING_APPROVAL", 3))
    tell(station, message("VERIFYING", 5, by="ana (U0123456789)"))
    assert slack_server.replies[-1]["text"].endswith("Approved by ana (U0123456789).")


# -- texts


def test_a_cut_never_leaves_half_an_entity():
    text = "&lt;&amp;&gt;" * 40
    for limit in range(2, len(text)):
        short = cut(text, limit)
        assert len(short) <= limit
        assert not re.search(r"&(?!(lt|gt|amp);)", short), short


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive", "token_expired", "not_authed"])
def test_what_is_wrong_with_the_token_has_its_fix_in_the_log(station, slack_server, message, code):
    slack_server.refused = {"chat_postMessage": code}
    assert tell(station, message("ESCALATED", 3)) == {0: 900.0}
    (logged,) = [facts for _, text, facts in station.telemetry.logs if text == "not delivered"]
    assert MENDS[code] in logged["error"]


def test_a_configured_mention_is_what_the_lambda_reads():
    data = {"slack": {"channel": "C1", "secret": "s", "approvers": [], "mention": {"page": ["U0123456789"]}}}
    assert replace(Notices.from_json(data).slack, approvers=()).mention == {"page": ("U0123456789",)}
