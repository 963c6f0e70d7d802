"""GET /products and GET /products/{id}."""

from __future__ import annotations

from typing import Any

import catalogue
import web
from aws_lambda_powertools.event_handler import Response
from products import CATEGORY, Fault

DEFAULT_LIMIT = 25
MAX_LIMIT = 100

app = web.new_app()


def _query() -> tuple[int, str | None, str | None]:
    """Limit, category and cursor of the query string. Raises Refused with everything wrong in them."""
    query = app.current_event.query_string_parameters or {}
    faults = [
        Fault(f"query {name}", value, "is not known here: use limit, category, cursor")
        for name, value in query.items()
        if name not in ("limit", "category", "cursor")
    ]
    asked = query.get("limit", str(DEFAULT_LIMIT))
    limit = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 3 else 0
    if not 1 <= limit <= MAX_LIMIT:
        faults.append(Fault("query limit", asked, f"must be an integer from 1 to {MAX_LIMIT}"))
    category = query.get("category")
    if category is not None and not CATEGORY.fullmatch(category):
        faults.append(Fault("query category", category, "must be 1 to 40 of a-z, 0-9 and '-'"))
    if faults:
        raise web.Refused(400, "invalid query", faults)
    return limit, category, query.get("cursor")


@app.get("/products")
def list_products() -> Response[Any]:
    limit, category, cursor = _query()
    try:
        page = catalogue.page(limit=limit, category=category, cursor=cursor)
    except catalogue.BadCursor as error:
        fault = Fault("query cursor", cursor, "must be the `next` of an earlier page of the same filter")
        raise web.Refused(400, "invalid query", [fault]) from error
    return web.answer(200, {"items": page.items, "next": page.cursor})


@app.get("/products/<product_id>")
def get_product(product_id: str) -> Response[Any]:
    try:
        product = catalogue.get(product_id)
    except catalogue.NotFound as error:
        raise web.Refused(404, f"no product {product_id}") from error
    return web.answer(200, product, ETag=f'"{product["version"]}"')


handler = web.entry(app)
