"""Slack over HTTP: one thread for one incident, edited as things go on, nothing lost and nothing doubled in view."""

from __future__ import annotations

import json

import pytest

from remediators.notifier.channels import Thread
from remediators.notifier.notice import of
from remediators.notifier.secrets import Secrets
from remediators.notifier.slack import SlackChannel
from remediators.notifier.slack_blocks import verbs_of
from remediators.notifier.wording import Wording
from sereno.service import Notices, Slack

CHANNEL, TOKEN = "C0123456789", "xoxb-planted-token"
LABELS = {verb: verb.title() for verb in ("approve", "refuse", "revert", "keep", "mute")}
NOTICES = Notices(slack=Slack(CHANNEL, "shop/slack", ("U0123456789",)), page_url="https://on-call.example.com")
FAILURES = (429, 500, 503, "cut", "late", "hang")


@pytest.fixture
def station(desk, slack_server, paper_secrets):
    """A notifier whose one channel is Slack."""

    def make(token=TOKEN, channel=CHANNEL):
        made = desk(channels={}, notices=NOTICES)
        secrets = Secrets(paper_secrets(**{"shop/slack": {"token": token, "signing_secret": "s"}}), made.clock)
        made.channels["slack"] = SlackChannel(secrets, "shop/slack", channel, LABELS, base_url=slack_server.url)
        return made

    return make


def tell(station, *bodies, owner="one"):
    """One invocation; the numbers of the messages that are left, and for how long."""
    left = station.notifier(owner).tell(list(enumerate(of(one) for one in bodies)))
    return {one.number: one.after_s for one in left}


def told(slack_server, key):
    """The replies that tell a news."""
    return [
        one for one in slack_server.replies if (one.get("metadata") or {}).get("event_payload", {}).get("key") == key
    ]


def texts(messages):
    return [one["text"] for one in messages]


def test_the_first_news_opens_a_thread_and_later_ones_edit_its_head_and_stand_in_it(
    station, slack_server, message, incident_message
):
    one = station()
    for news in (message("VERIFYING", 3), message("HOLDING", 4), message("REVERTED", 6), incident_message()):
        assert tell(one, news) == {}
    (head,) = slack_server.heads
    assert head["blocks"][0]["text"]["text"] == ":white_check_mark: techmoda-read: exhaustion: resolved"
    assert texts(slack_server.replies) == [
        "techmoda-read: exhaustion. It helped. techmoda-read has reserved concurrency 120 → 240 until the demand has "
        "passed; then it is taken back.",
        "techmoda-read: exhaustion. Taken back: techmoda-read reserved concurrency 240 → 120. Nothing of this change "
        "is in force.",
        "techmoda-read: exhaustion: resolved. It is over: nothing has been red since 12:15 UTC.",
    ]


def test_two_remediations_of_one_incident_are_one_thread(station, slack_server, message):
    one = station()
    table = "20260929T120000-raise-capacity-0663a6db1e"
    assert tell(one, message(), message(id=table, remediator="raise_capacity")) == {}
    assert (len(slack_server.heads), len(slack_server.replies)) == (1, 1)


def test_a_plan_that_asks_has_buttons_bound_to_it(station, slack_server, message):
    tell(station(), message("AWAITING_APPROVAL"))
    (head,) = slack_server.heads
    assert verbs_of(head["blocks"]) == ["approve", "refuse", "mute"]
    (actions,) = (block for block in head["blocks"] if block["type"] == "actions")
    approve, refuse, mute = (json.loads(one["value"]) for one in actions["elements"])
    assert approve == {
        "v": 1,
        "service": "techmoda",
        "verb": "approve",
        "id": message()["id"],
        "plan": "0123456789abcdef",
        "expires": 1790685000,
    }
    assert (refuse["plan"], mute["id"]) == (None, message()["incident"])
    assert "Nothing has been changed yet" in head["text"]


def test_without_anybody_who_may_press_there_are_no_buttons(station, slack_server, message):
    one = station()
    one.channels["slack"]._labels = {}
    tell(one, message("AWAITING_APPROVAL"))
    assert verbs_of(slack_server.heads[0]["blocks"]) == []


def test_the_same_news_twice_and_old_news_are_shown_once(station, slack_server, message):
    one = station()
    for news in (message("HOLDING", 4), message("HOLDING", 4), message("VERIFYING", 3)):
        assert tell(one, news) == {}
    assert (len(slack_server.heads), len(slack_server.replies)) == (1, 0)
    assert "It helped" in slack_server.heads[0]["text"]


def test_what_people_and_aws_write_is_no_markup_and_never_too_long(station, slack_server, message):
    nasty = "<!channel> & <https://evil.example|click> " + "x" * 5000
    target = {"kind": "function", "name": nasty}
    news = message("FAILED", detail=nasty, reason=nasty, alarm=nasty, target=target, what=nasty, do=nasty)
    assert tell(station(), news) == {}
    (head,) = slack_server.heads
    parts = [part for block in head["blocks"] for part in (block.get("text"), *block.get("fields", ())) if part]
    marked = " ".join(part["text"] for part in parts if part["type"] == "mrkdwn")  # a header is plain text
    assert "<!channel>" not in marked + head["text"]
    assert "&lt;!channel&gt; &amp; " in marked


@pytest.mark.parametrize("trouble", FAILURES)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_whatever_fails_at_whichever_request_the_news_is_shown_once_in_the_end(
    station, slack_server, message, trouble, at, monkeypatch
):
    """The first news opens the thread (one request); the second edits its head and replies (two)."""
    if trouble == "hang":
        monkeypatch.setattr("remediators.notifier.slack.TIMEOUT_S", 0.7)
    one = station()
    news = [message("VERIFYING", 3), message("HOLDING", 4)]
    slack_server.trouble = [*[None] * at, trouble]
    for number, told in enumerate(news):
        left = tell(one, told, owner=f"first{number}")
        if left:
            assert left == {0: 7.0 if trouble == 429 else 60.0}
        one.clock.forward(91)
        assert tell(one, told, owner=f"again{number}") == {}
    assert len(slack_server.heads) == 1
    assert [one["metadata"]["event_payload"]["key"] for one in slack_server.replies] == [news[1]["key"]]
    assert "It helped" in slack_server.heads[0]["text"]


def test_an_invocation_that_died_after_posting_is_made_up_for_without_posting_twice(station, slack_server, message):
    one = station()
    shown = one.notifier("dead").book.open(message()["incident"], "slack", one.clock.now())
    post = Wording(NOTICES).post(of(message()))
    one.channels["slack"].deliver(post, shown.thread)  # and then it is gone

    assert tell(one, message(), owner="next") == {0: 5.0}, "the dead one may still be at it"
    one.clock.forward(91)
    assert tell(one, message(), owner="next") == {}
    assert (len(slack_server.heads), len(slack_server.replies)) == (1, 0)


def test_while_slack_wants_to_be_left_alone_the_rest_of_the_batch_waits_too(station, slack_server, message):
    one = station()
    slack_server.trouble = [429]
    other = "incident-20260929T120500-aaaaaaaaaa"
    left = tell(one, message(), message(id="r2", incident=other))
    assert left == {0: 7.0, 1: 7.0}
    assert len(slack_server.requests) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token": "xoxb-wrong"}, "invalid_auth (the token is not accepted"),
        ({"channel": "C0000000000"}, "channel_not_found (is there such a channel"),
    ],
)
def test_what_a_person_must_mend_is_said_and_the_news_stays(station, slack_server, message, changed, said):
    one = station(**changed)
    assert tell(one, message()) == {0: 900.0}
    ((_, _, facts),) = [log for log in one.telemetry.logs if log[1] == "not delivered"]
    assert said in facts["error"]
    assert one.telemetry.total("NotDelivered") == 1


def test_a_new_token_counts_as_soon_as_the_old_one_is_refused(desk, slack_server, paper_secrets, message):
    one, client = desk(channels={}, notices=NOTICES), paper_secrets(**{"shop/slack": {"token": "xoxb-old"}})
    secrets = Secrets(client, one.clock)
    one.channels["slack"] = SlackChannel(secrets, "shop/slack", CHANNEL, LABELS, base_url=slack_server.url)
    assert tell(one, message()) == {0: 900.0}
    client.secrets["shop/slack"] = {"token": TOKEN}
    assert tell(one, message()) == {}


def test_a_head_that_somebody_deleted_is_posted_anew(station, slack_server, message):
    one = station()
    tell(one, message("VERIFYING", 3))
    slack_server.messages.clear()
    assert tell(one, message("HOLDING", 4)) == {}
    assert len(slack_server.heads) == 1


def test_no_secret_is_in_what_slack_or_the_log_or_the_ledger_gets(
    station, slack_server, message, planted, capsys, caplog
):
    one = station()
    slack_server.trouble = [500, 429]
    for owner in "abc":
        tell(one, message(), owner=owner)
    shown = json.dumps([slack_server.messages, [list(map(str, log)) for log in one.telemetry.logs]])
    shown += json.dumps([list(one.table.rows.values())]) + capsys.readouterr().out + caplog.text
    assert not any(secret in shown for secret in planted)
    assert not any(secret in repr(one.channels["slack"]._secrets) for secret in planted)


def test_a_thread_is_where_it_is():
    assert Thread("incident-1").at("17").ref == "17"


def test_doubt_about_a_dead_ones_post_outlives_whoever_could_not_clear_it_up(station, slack_server, message):
    """The one that takes over asks Slack what is there, and Slack wants to be left alone."""
    one = station()
    shown = one.notifier("dead").book.open(message()["incident"], "slack", one.clock.now())
    one.channels["slack"].deliver(Wording(NOTICES).post(of(message())), shown.thread)  # and then it is gone
    one.clock.forward(91)
    slack_server.trouble = [429]
    assert tell(one, message(), owner="next") == {0: 7.0}
    one.clock.forward(7)
    assert tell(one, message(), owner="last") == {}
    assert (len(slack_server.heads), len(slack_server.replies)) == (1, 0)


def test_a_long_thread_is_looked_through_to_its_end(station, slack_server, message):
    one = station()
    tell(one, message("VERIFYING", 3))
    (head,) = slack_server.heads
    for number in range(250):
        slack_server.chat_postMessage({"text": f"people write, {number}", "thread_ts": head["ts"]})
    slack_server.trouble = [None, "late"]
    assert tell(one, message("HOLDING", 4), owner="first") == {0: 60.0}
    one.clock.forward(91)
    assert tell(one, message("HOLDING", 4), owner="next") == {}
    assert len(told(slack_server, message("HOLDING", 4)["key"])) == 1


def test_a_busy_channel_is_looked_through_for_the_head(station, slack_server, message):
    one = station()
    slack_server.trouble = ["late"]
    assert tell(one, message("VERIFYING", 3), owner="first") == {0: 60.0}
    for number in range(250):
        slack_server.chat_postMessage({"text": f"people write, {number}"})
    one.clock.forward(91)
    assert tell(one, message("VERIFYING", 3), owner="next") == {}
    assert len([head for head in slack_server.heads if head["blocks"]]) == 1


def test_news_is_shown_though_slack_does_not_let_the_app_look_whether_it_is_there(station, slack_server, message):
    one = station()
    slack_server.trouble = ["cut"]
    assert tell(one, message(), owner="first") == {0: 60.0}
    slack_server.refused = {"conversations_history": "missing_scope"}
    one.clock.forward(91)
    assert tell(one, message(), owner="next") == {}
    assert len(slack_server.heads) == 1


def test_news_that_slack_kept_waiting_does_not_undo_the_end_of_its_incident(
    station, slack_server, message, incident_message
):
    one = station()
    slack_server.trouble = [503]
    assert tell(one, message("ESCALATED", 3)) == {0: 60.0}  # 12:00, and again when the incident is over
    assert tell(one, incident_message("RESOLVED", 1)) == {}  # 12:20
    assert tell(one, message("ESCALATED", 3), owner="late") == {}
    (head,) = slack_server.heads
    assert "resolved" in head["blocks"][0]["text"]["text"]
    assert len(told(slack_server, message("ESCALATED", 3)["key"])) == 1
    again = message("ESCALATED", 3, id="r2", key="r2#000003", at="2026-09-29T12:21:00.000Z")
    assert tell(one, again, owner="again") == {}
    (head,) = slack_server.heads
    assert "resolved" not in head["blocks"][0]["text"]["text"], "what is newer than its end is news"
