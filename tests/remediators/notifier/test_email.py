"""Mail: plain text, a subject that SNS takes, and errors told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from remediators.notifier.channels import RateLimited, Refused, Thread, Unavailable
from remediators.notifier.email import Email, body, subject
from remediators.notifier.notice import of
from remediators.notifier.wording import Wording
from sereno.service import Notices

WORDING = Wording(Notices(language="es", page_url="https://on-call.example.com"))


class Sns:
    def __init__(self, trouble=None):
        self.trouble, self.sent = trouble, []

    def publish(self, **params):
        if self.trouble:
            raise self.trouble
        self.sent.append(params)
        return {"MessageId": "m-1"}


def failed(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Publish")


def test_a_mail_says_what_happened_what_to_do_and_where_to_look(message):
    post = WORDING.post(of(message("AWAITING_APPROVAL", do="sereno approve r1")))
    sns = Sns()
    marks = {"page": WORDING.word("severity.page")}
    there = Email(sns, "arn:people", words=marks).deliver(post, Thread(post.thread))
    (sent,) = sns.sent
    assert there.ref == sent["Subject"] == "[techmoda] techmoda-read: exhaustion"
    lines = sent["Message"].splitlines()
    assert lines[0].startswith(f"[{marks['page']}] Sereno pregunta: ¿puede cambiar techmoda-read")
    assert "  sereno approve r1" in lines
    assert lines[-1].startswith("https://on-call.example.com/incidents/incident-")


def test_every_mail_of_an_incident_has_the_subject_of_the_first(message, incident_message):
    """Mail programs put them together by that alone; what changes is in the body."""
    sns, marks = Sns(), {"page": "Page"}
    mails = [
        message(),
        message("ESCALATED", severity="page"),
        incident_message("ACKNOWLEDGED"),
        incident_message(),
    ]
    thread = Thread("incident")
    for body_of in mails:
        thread = Email(sns, "arn:people", words=marks).deliver(WORDING.post(of(body_of)), thread)
    assert len({sent["Subject"] for sent in sns.sent}) == 1
    assert "[Page]" not in sns.sent[0]["Subject"]
    marked = [sent["Message"].startswith("[Page] ") for sent in sns.sent]
    assert marked[1]
    assert not marked[-1]
    assert [sent["Message"].splitlines()[1] for sent in sns.sent] != [sns.sent[0]["Message"].splitlines()[1]] * 4


def test_what_an_alarm_has_mailed_is_not_mailed_again_and_what_follows_has_one_subject(message):
    sns, post = Sns(), WORDING.post(of(message("ESCALATED", severity="page")))
    thread = Email(sns, "arn:people").deliver(replace(post, mailed=True), Thread(post.thread))
    assert sns.sent == []
    Email(sns, "arn:people").deliver(replace(post, head="techmoda-read: resolved"), thread)
    assert sns.sent[0]["Subject"] == thread.ref


def test_a_contacts_mail_names_them_for_the_filter_of_their_subscription(message):
    sns, post = Sns(), WORDING.post(of(message("ESCALATED", severity="page")))
    channel = Email(sns, "arn:people", contact="lead")
    channel.deliver(post, Thread(post.thread))
    assert channel.name == "email:lead"
    assert sns.sent[0]["MessageAttributes"]["contact"] == {"DataType": "String", "StringValue": "lead"}
    Email(sns, "arn:people").deliver(post, Thread(post.thread))
    assert "contact" not in sns.sent[1]["MessageAttributes"]


def test_a_subject_is_ascii_of_one_line_and_short_enough_for_sns(message):
    post = WORDING.post(of(message(what="línea\nnueva " * 40)))
    assert subject(post).isascii()
    assert "\n" not in subject(post)
    assert len(subject(post)) < 100
    assert body(post).endswith("\n")


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (failed("Throttled"), RateLimited),
        (failed("InternalError"), Unavailable),
        (failed("NotFound"), Refused),
        (failed("AuthorizationError"), Refused),
        (EndpointConnectionError(endpoint_url="sns"), Unavailable),
    ],
)
def test_what_passes_is_told_from_what_a_person_must_mend(message, trouble, kind):
    post = WORDING.post(of(message()))
    with pytest.raises(kind):
        Email(Sns(trouble), "arn:people").deliver(post, Thread(post.thread))
