"""TechModa's application as Lambda would load it: its folder on the path, its settings in the environment."""

import base64
import importlib
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import moto
import pytest

from deploy.embedded import MOCK_CONFIG, create_stack
from deploy.sam import translate

TECHMODA = Path(__file__).parents[2] / "examples" / "techmoda"
MODULES = ("products", "catalogue", "demand", "web", "read", "write", "health")
REGION, ACCOUNT = "eu-west-1", "123456789012"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_NAME": "techmoda-read",
    "AWS_REGION": REGION,
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_METRICS_NAMESPACE": "TechModa/catalogue",
    "POWERTOOLS_SERVICE_NAME": "techmoda-catalogue",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "RELEASE": "7",
    "TABLE_NAME": "techmoda-products",
    "WATCHED_AS": "techmoda",
}


@dataclass
class LambdaContext:
    function_name: str = "techmoda-read"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:techmoda-read:live"
    aws_request_id: str = "5a7d1d6e-0000-4000-8000-000000000001"


@dataclass
class Answer:
    """What the API gave back; `body` is the JSON, or None."""

    status: int
    body: object
    headers: dict


def proxy_event(method, path, *, body=None, query=None, headers=None, base64_body=False):
    """An API Gateway REST proxy event, as far as the functions read it."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    if base64_body:
        text = base64.b64encode(text.encode()).decode()
    known = {"Content-Type": "application/json"} if body is not None else {}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {**known, **(headers or {})},
        "multiValueHeaders": {name: [value] for name, value in {**known, **(headers or {})}.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "stage": "prod", "path": path},
        "body": text,
        "isBase64Encoded": base64_body,
    }


@pytest.fixture(scope="session")
def table_alone():
    """The products table of the real template, so that no test runs on another one."""
    template = translate(TECHMODA / "template.yaml", {}, region=REGION, account=ACCOUNT)
    kept = {section: template[section] for section in ("Parameters", "Conditions")}
    return {**kept, "Resources": {"ProductsTable": template["Resources"]["ProductsTable"]}}


@pytest.fixture
def load(monkeypatch):
    """Loads the application afresh, as a cold start does; settings given by name are added."""
    monkeypatch.syspath_prepend(str(TECHMODA / "app"))

    def _load(**settings):
        for name, value in {**SETTINGS, **settings}.items():
            monkeypatch.setenv(name, value)
        for name in MODULES:
            sys.modules.pop(name, None)
        # Powertools sets up a logger once and keeps the stdout of that moment, which was another test's.
        logging.Logger.manager.loggerDict.pop(SETTINGS["POWERTOOLS_SERVICE_NAME"], None)
        return SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})

    yield _load
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def app(load):
    return load()


@pytest.fixture
def table(app, table_alone):
    with moto.mock_aws(config=MOCK_CONFIG):
        create_stack("techmoda", table_alone, region=REGION, account=ACCOUNT)
        yield "techmoda-products"


@pytest.fixture
def invoke():
    """Invokes the handler of one of the application's modules."""

    def _invoke(module, method, path, **parts):
        response = module.handler(proxy_event(method, path, **parts), LambdaContext())
        headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
        body = json.loads(response["body"]) if response["body"] else None
        return Answer(response["statusCode"], body, headers)

    return _invoke


@pytest.fixture
def call(app, invoke):
    """Sends a request the way API Gateway would, to the function that the path and method belong to."""

    def _call(method, path, **parts):
        module = app.health if path == "/health" else app.read if method == "GET" else app.write
        return invoke(module, method, path, **parts)

    return _call


@pytest.fixture
def aws_answers(monkeypatch):
    """Makes every AWS call raise the given error instead."""

    def _raise(error):
        def failing(*_args, **_kwargs):
            raise error

        monkeypatch.setattr("botocore.client.BaseClient._make_api_call", failing)

    return _raise
