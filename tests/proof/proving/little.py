"""Little Lambdas with roles of their own: what the emulator does by itself is seen best in something small."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proving.emulator import Emulator

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True, slots=True)
class Little:
    """One function."""

    emulator: Emulator
    name: str

    def ask(self, event: Any = None, **how: Any) -> Any:
        """What it answers. Raises AssertionError with its words when it fails."""
        client = self.emulator.client("lambda", attempts=1)
        answer = client.invoke(FunctionName=self.name, Payload=json.dumps(event).encode(), **how)
        text = answer["Payload"].read()
        assert "FunctionError" not in answer, text
        return json.loads(text) if text else None


def make(emulator: Emulator, name: str, source: str, statements: Sequence[dict[str, Any]] = ()) -> Little:
    """A function whose module is `source` (with a `handler`), and which may do what the statements allow."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    iam = emulator.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    if statements:
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    emulator.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": packed.getvalue()},
        Timeout=10,
    )
    return Little(emulator, name)
