"""The words of `sereno.yaml`: quantities with units, names by their patterns, and what is said of a wrong one.

Texts of errors are mends: they follow the value in `sereno.yaml: objectives.rpo: "15" has no unit (write 15m)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from deploy import units
from sereno.escape import shown
from sereno.model import instant

Scalar = str | int | float | bool


def mend(text: str) -> PydanticCustomError:
    """An error whose text is the mend."""
    return PydanticCustomError("mend", "{mend}", {"mend": text})


def parsed(parse: Callable[[object], Any]) -> BeforeValidator:
    """Reads a value by a function whose ValueError is the mend."""

    def run(value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise mend(str(error)) from None

    return BeforeValidator(run)


def _duration_schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": units.DURATION_PATTERN, "examples": [example]})


def between(low: float, high: float, text: str) -> AfterValidator:
    """Bounds, both included; `text` is the mend."""

    def run(value: float) -> float:
        if not low <= value <= high:
            raise mend(text)
        return value

    return AfterValidator(run)


def _whole_seconds(value: object, *, usual: str) -> int:
    exact = units.milliseconds(value, usual=usual) / 1000
    if exact != int(exact):
        raise ValueError("is not a whole number of seconds")
    return int(exact)


def _instant(value: object) -> str:
    try:
        instant(str(value))
    except ValueError:
        raise ValueError("is no moment with a time zone (write it like 2026-11-24T09:00:00+01:00)") from None
    return str(value)


def pattern(wanted: str, text: str) -> AfterValidator:
    """The whole text must match; `text` is the mend."""

    def run(value: str) -> str:
        if not re.fullmatch(wanted, value):
            raise mend(text)
        return value

    return AfterValidator(run)


def text_like(wanted: str, text: str, no_text: str = "") -> tuple[Any, ...]:
    """Text like this; `text` is the mend when it is another, `no_text` when it is no text at all."""

    def only_text(value: object) -> str:
        if not isinstance(value, str):
            hint = "" if isinstance(value, dict | list) or value is None else f' (write "{shown(value)}", in quotes)'
            raise ValueError(no_text or f"is not text{hint}")
        return value

    schema = WithJsonSchema({"type": "string", "pattern": f"^(?:{wanted})$"})
    return (parsed(only_text), pattern(wanted, text), schema)


Minutes = Annotated[int, parsed(lambda value: _whole_seconds(value, usual="m")), _duration_schema("15m")]
Seconds = Annotated[int, parsed(lambda value: _whole_seconds(value, usual="s")), _duration_schema("10s")]
Milliseconds = Annotated[
    float, parsed(lambda value: units.milliseconds(value, usual="ms")), _duration_schema("500ms")
]
Availability = Annotated[
    float,
    parsed(units.ratio),
    # At 100 % the error budget is nothing, and every burn rate is a division by it.
    between(0.5, 0.99999, "must lie between 50% and 99.999%: 100% leaves no error budget to burn"),
    WithJsonSchema({"type": "string", "pattern": units.PERCENT_PATTERN, "examples": ["99.99%"]}),
]
Factor = Annotated[
    float,
    parsed(units.factor),
    between(1, 1000, "must lie between 1x and 1000x: it is a factor over normal traffic"),
    WithJsonSchema({"type": "string", "pattern": units.FACTOR_PATTERN, "examples": ["9x"]}),
]
Moment = Annotated[str, parsed(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]

# Short, because function names are sereno-<service>-<remediator> and Lambda allows 64 characters.
ServiceName = Annotated[
    str,
    *text_like("[a-z][a-z0-9-]{1,29}", "must be 2 to 30 of a-z, 0-9 and -, and begin with a letter"),
]
_ACCOUNT = 'must be the 12 digits of an AWS account, in quotes (write account: "123456789012")'
# Text, because as a number an account that begins with 0 would lose it, or be read as octal.
Account = Annotated[str, *text_like(r"[0-9]{12}", _ACCOUNT, _ACCOUNT)]
Region = Annotated[str, *text_like(r"[a-z]{2}(-[a-z]+)+-[0-9]", "is no AWS region (write it like eu-west-1)")]
# A key is the middle of an alarm's name, <service>/<resource>/<what>.
Key = Annotated[str, *text_like("[a-z][a-z0-9-]{0,62}", "must be of a-z, 0-9 and -, and begin with a letter")]
What = Annotated[
    str,
    *text_like("[a-z0-9][a-z0-9-]{0,62}", "is no *what* (write lower-case words joined by -, like burn-fast)"),
]
Email = Annotated[str, *text_like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "is no e-mail address")]
Url = Annotated[str, *text_like(r"https?://\S+", "is no address (write it like https://wiki.example.com/x)")]
FunctionName = Annotated[
    str, *text_like(r"[A-Za-z0-9_-]{1,64}", "is no function name (1 to 64 letters, digits, - and _; no ARN)")
]
ApiId = Annotated[
    str, *text_like(r"[a-z0-9]{1,32}", "is no API id (ten letters and digits; aws apigatewayv2 get-apis lists them)")
]
IndexName = Annotated[
    str, *text_like(r"[A-Za-z0-9_.-]{3,255}", "is no index name (3 to 255 letters, digits, -, _ and .)")
]
QueueName = Annotated[
    str,
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    *text_like(
        r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo",
        "is no queue name (write the name, not the URL: 1 to 80 of A-Z a-z 0-9 _ -)",
    ),
]
TableName = Annotated[
    str, *text_like(r"[A-Za-z0-9_.-]{3,255}", "is no table name (3 to 255 letters, digits, -, _ and .)")
]
# It is printed in tables and told to people, so one short line.
EventName = Annotated[
    str, *text_like(r"\S(?:[^\n\r\t]{0,62}\S)?", "is no event's name (1 to 64 characters on one line)")
]


_NO_NAME = "is no name of a secret (write it like sereno/techmoda/slack; its value stays in Secrets Manager)"
SecretName = Annotated[
    str,
    *text_like(
        r"[A-Za-z0-9/_+=.@-]{1,512}",
        _NO_NAME,
        _NO_NAME,
    ),
    # A token of Slack, or a routing key of PagerDuty (32 letters and digits).
    pattern(
        r"(?!xox[a-z]-|xapp-|(?=\D*\d)[A-Za-z0-9]{32}$).*",
        "looks like the secret itself (put it into Secrets Manager, write its name here, and have a new one made)",
    ),
]
SlackChannel = Annotated[
    str, *text_like("[CG][A-Z0-9]{8,}", "is no channel id (Slack shows it at the end of the channel's details)")
]
SlackUser = Annotated[str, *text_like("[UW][A-Z0-9]{8,}", "is no user id (Slack: profile, Copy member ID)")]
SlackMention = Annotated[
    str,
    *text_like(
        "[UWS][A-Z0-9]{8,}|here|channel",
        "is nobody to mention (a user id U..., a user group id S..., here or channel)",
    ),
]
Severity = Literal["page", "ticket", "info"]
Channel = Literal["slack", "pagerduty", "email", "opscenter"]


# An unknown key is a typing error until shown otherwise.
CLOSED = ConfigDict(extra="forbid", frozen=True)
