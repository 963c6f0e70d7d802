"""POST /products, PUT and DELETE /products/{id}, with optimistic concurrency.

A writer says which version it saw: by `If-Match` (a mismatch answers 412) or by `version` in the body, for DELETE
in the query string (a mismatch answers 409). Whoever says neither is asked to (428).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import catalogue
import web
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.metrics import MetricUnit
from products import ID, Fault, faults_in, is_integer, stamped

ETAG = re.compile(r'"([1-9][0-9]{0,17})"')

app = web.new_app()


def _release() -> str:
    return os.environ.get("RELEASE", "unknown")


def _tag() -> tuple[int | None, list[Fault]]:
    """The version that If-Match names (None without the header), and what is wrong with it."""
    tag = app.current_event.headers.get("if-match")
    if tag is None:
        return None, []
    found = ETAG.fullmatch(tag.strip())
    if found is None:
        return None, [Fault("header If-Match", tag, 'must be the ETag of the product, e.g. "3"')]
    return int(found[1]), []


def _expected(stated: object, path: str) -> tuple[int | None, list[Fault]]:
    """The version the caller saw, by header or as `stated` at `path`, and what is wrong with either."""
    tag, faults = _tag()
    if stated is not None and (not is_integer(stated) or not 1 <= stated < 10**18):  # type: ignore[operator]
        return None, [*faults, Fault(path, stated, "must be the version you read, an integer from 1")]
    if tag is not None and stated is not None and tag != stated:
        return None, [*faults, Fault(path, stated, f"contradicts If-Match, which says {tag}: send one")]
    return (tag if tag is not None else stated), faults  # type: ignore[return-value]


def _require(expected: int | None) -> int:
    if expected is None:
        fault = Fault("header If-Match", None, "is missing: send the product's ETag, or its version")
        raise web.Refused(428, "say which version you saw", [fault])
    return expected


def _conflict(error: catalogue.Changed) -> web.Refused:
    """412 where the caller set a precondition, 409 where it stated a version."""
    status = 412 if app.current_event.headers.get("if-match") is not None else 409
    web.metrics.add_metric(name="Conflicts", unit=MetricUnit.Count, value=1)
    return web.Refused(status, f"{error}: read it again and repeat your change")


def _stored(status: int, product: dict[str, Any]) -> Response[Any]:
    web.metrics.add_metric(name="ProductsWritten", unit=MetricUnit.Count, value=1)
    headers = {"ETag": f'"{product["version"]}"'}
    if status == 201:
        headers["Location"] = f"/products/{product['id']}"
    return web.answer(status, product, **headers)


@app.post("/products")
def create_product() -> Response[Any]:
    body = web.json_body(app)
    faults = faults_in(body, known=frozenset({"id"}))
    product_id = body.get("id", uuid4().hex)
    if not isinstance(product_id, str) or not ID.fullmatch(product_id):
        faults.insert(0, Fault("id", product_id, "must be 1 to 64 of a-z, 0-9 and '-'"))
    if faults:
        raise web.Refused(400, "invalid product", faults)
    product = stamped(body, product_id=product_id, version=1, release=_release(), now=datetime.now(UTC))
    try:
        catalogue.create(product)
    except catalogue.Taken as error:
        raise web.Refused(409, f"product {product_id} is there already: change it with PUT") from error
    return _stored(201, product)


@app.put("/products/<product_id>")
def replace_product(product_id: str) -> Response[Any]:
    body = web.json_body(app)
    faults = faults_in(body, known=frozenset({"id", "version"}))
    if body.get("id", product_id) != product_id:
        faults.insert(0, Fault("id", body["id"], f"must be {product_id} as in the path, or left out"))
    expected, version_faults = _expected(body.get("version"), "version")
    if faults or version_faults:
        raise web.Refused(400, "invalid product", faults + version_faults)
    seen = _require(expected)
    product = stamped(body, product_id=product_id, version=seen + 1, release=_release(), now=datetime.now(UTC))
    try:
        catalogue.replace(product, expected=seen)
    except catalogue.NotFound as error:
        raise web.Refused(404, f"no product {product_id}") from error
    except catalogue.Changed as error:
        raise _conflict(error) from error
    return _stored(200, product)


@app.delete("/products/<product_id>")
def delete_product(product_id: str) -> Response[Any]:
    asked = (app.current_event.query_string_parameters or {}).get("version")
    stated: object = int(asked) if asked and asked.isascii() and asked.isdigit() else asked
    expected, faults = _expected(stated, "query version")
    if faults:
        raise web.Refused(400, "invalid query", faults)
    try:
        catalogue.delete(product_id, expected=_require(expected))
    except catalogue.NotFound as error:
        raise web.Refused(404, f"no product {product_id}") from error
    except catalogue.Changed as error:
        raise _conflict(error) from error
    web.metrics.add_metric(name="ProductsDeleted", unit=MetricUnit.Count, value=1)
    return web.answer(204, None)


handler = web.entry(app)
