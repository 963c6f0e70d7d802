"""Mail: plain text, a subject that SNS takes, and errors told apart."""

from __future__ import annotations

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
    assert Email(sns, "arn:people").deliver(post, Thread(post.thread)).ref == "m-1"
    (sent,) = sns.sent
    assert sent["Subject"] == "[techmoda] [PAGE] techmoda-read: exhaustion"
    lines = sent["Message"].splitlines()
    assert lines[0].startswith("Sereno pregunta: ¿puede cambiar techmoda-read")
    assert "  sereno approve r1" in lines
    assert lines[-1].startswith("https://on-call.example.com/incidents/incident-")


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
