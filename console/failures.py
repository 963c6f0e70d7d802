"""What went wrong, as a sentence with its mend and an exit code. Pure: nothing is printed here."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from remediators.clients import trouble
from sereno.errors import InvalidInput, LedgerUnavailable, Refused, SerenoError

REFUSED, BAD_INPUT, FAULT, INTERRUPTED = 1, 2, 3, 130

_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_SIGN_IN = "sign in again, for example with `aws sso login`"
_MAY_NOT = (
    "these credentials may not; docs/commands.md (operating) and docs/first-hour.md (deploying) list what they need"
)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_MENDS = {
    "ResourceNotFoundException": "is the watch deployed in this account and region? See `sereno plan`",
    "AccessDeniedException": _MAY_NOT,
    "AccessDenied": _MAY_NOT,
    "InvalidClientTokenId": "the credentials are not valid here; is it the right profile?",
    "UnrecognizedClientException": "the credentials are not valid here; is it the right profile?",
    "InvalidSignatureException": "the credentials are not valid here; is this machine's clock right?",
}


def sentence(error: Exception) -> tuple[str, int] | None:
    """The text for a person and the exit code; None for a fault in Sereno itself, which deserves its traceback."""
    if isinstance(error, Refused):
        return str(error), REFUSED
    if isinstance(error, InvalidInput):
        return "\n".join(_lines(error)), BAD_INPUT
    if isinstance(error, LedgerUnavailable) and isinstance(error.__cause__, ClientError | BotoCoreError):
        return f"the ledger cannot be used: {_aws(error.__cause__)}", BAD_INPUT
    if isinstance(error, SerenoError):
        return str(error), BAD_INPUT
    if isinstance(error, ClientError | BotoCoreError):
        return f"AWS: {_aws(error)}", BAD_INPUT
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", BAD_INPUT
    return None


def _lines(error: InvalidInput) -> list[str]:
    """A problem about the file as a whole names the file once."""
    source = error.source
    return [
        str(one) if one.path == source or one.path.endswith(f"/{source}") else f"{source}: {one}"
        for one in error.problems
    ]


def _aws(error: ClientError | BotoCoreError) -> str:
    if trouble(error) == "expired":
        return f"the AWS credentials have expired ({_SIGN_IN})"
    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return f"{str(error).rstrip('.')} ({_CREDENTIALS})"
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError):
        return f"{error} (is there a way to AWS from here, and is the region right?)"
    if not isinstance(error, ClientError):
        return str(error)
    detail = error.response.get("Error", {})
    code = str(detail.get("Code", "an error"))
    said = f"{error.operation_name} answered {code}: {str(detail.get('Message', '')).rstrip('.')}"
    return f"{said} ({_MENDS[code]})" if code in _MENDS else said
