"""The catalogue API, called as API Gateway calls it."""

import json
from itertools import chain

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

COAT = {
    "id": "wool-coat",
    "name": "Wool coat",
    "category": "coats",
    "price": {"cents": 24900, "currency": "EUR"},
    "sizes": ["S", "M", "L"],
    "stock": 40,
}


def fields_at_fault(answer):
    return [problem["path"] for problem in answer.body["problems"]]


def aws_error(code, status):
    response = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "PutItem")


@pytest.fixture
def coat(table, call):
    return call("POST", "/products", body=COAT).body


@pytest.fixture
def untouched(aws_answers):
    """A table that must not be asked: a request with a fault is refused before it costs anything."""
    aws_answers(AssertionError("a refused request asked the table"))


# --- create and read


def test_a_created_product_is_stamped_and_can_be_read(table, call):
    created = call("POST", "/products", body=COAT)
    assert created.status == 201
    assert created.headers["Location"] == "/products/wool-coat"
    assert created.headers["ETag"] == '"1"'
    assert created.body["version"] == 1
    assert created.body["release"] == "7"
    assert created.body["updated_at"].endswith("Z")
    read = call("GET", "/products/wool-coat")
    assert (read.status, read.headers["ETag"]) == (200, '"1"')
    assert read.body == created.body
    assert read.body["price"] == {"cents": 24900, "currency": "EUR"}


def test_a_product_without_an_id_is_given_one(table, call):
    made = call("POST", "/products", body={key: COAT[key] for key in COAT if key != "id"})
    assert made.status == 201
    assert call("GET", f"/products/{made.body['id']}").body == made.body


def test_an_id_can_be_taken_once(coat, call):
    again = call("POST", "/products", body={**COAT, "name": "Another coat"})
    assert again.status == 409
    assert call("GET", "/products/wool-coat").body["name"] == "Wool coat"


def test_a_body_that_the_gateway_sent_as_base64_is_read(table, call):
    assert call("POST", "/products", body=COAT, base64_body=True).status == 201


@pytest.mark.parametrize("path", ["/products/none", "/prodcts"])
def test_what_is_not_there_is_404(table, call, path):
    answer = call("GET", path)
    assert answer.status == 404
    assert "error" in answer.body


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("GET", {}),
        ("PUT", {"body": {**COAT, "id": "x" * 3000, "version": 1}}),
        ("DELETE", {"query": {"version": "1"}}),
    ],
)
def test_an_id_that_no_product_can_have_is_not_there(untouched, call, method, parts):
    assert call(method, f"/products/{'x' * 3000}", **parts).status == 404


# --- lists


@pytest.fixture
def shelf(table, call):
    for number in range(7):
        kind = "coats" if number < 5 else "shirts"
        made = call("POST", "/products", body={**COAT, "id": f"{kind}-{number}", "category": kind})
        assert made.status == 201


def pages(call, **query):
    """The ids of each page, following `next` to the end."""
    found, cursor = [], None
    while True:
        answer = call("GET", "/products", query={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status == 200
        found.append([item["id"] for item in answer.body["items"]])
        cursor = answer.body["next"]
        if cursor is None:
            return found


def test_all_products_come_once_over_the_pages(shelf, call):
    found = pages(call, limit="3")
    assert all(len(page) <= 3 for page in found)
    assert sorted(chain(*found)) == [*(f"coats-{n}" for n in range(5)), "shirts-5", "shirts-6"]


def test_what_watches_the_replication_is_no_product(shelf, call, app):
    """A prober keeps an item of its own in the table, and customers do not see it in any list."""
    row = {"id": {"S": "sereno-canary"}, "written_ms": {"N": "1"}}
    app.catalogue.client().put_item(TableName="techmoda-products", Item=row)
    assert "sereno-canary" not in chain(*pages(call))
    assert call("GET", "/products/sereno-canary").status == 404, "the answer of a region that serves"


def test_a_category_is_listed_alone_and_in_order(shelf, call):
    found = pages(call, category="coats", limit="2")
    assert found[0] == ["coats-0", "coats-1"]
    assert list(chain(*found)) == [f"coats-{n}" for n in range(5)]
    assert pages(call, category="hats") == [[]]


def test_a_cursor_serves_only_the_filter_it_was_made_for(shelf, call):
    cursor = call("GET", "/products", query={"category": "coats", "limit": "2"}).body["next"]
    for query in ({"cursor": cursor}, {"cursor": cursor, "category": "shirts"}):
        answer = call("GET", "/products", query=query)
        assert answer.status == 400
        assert fields_at_fault(answer) == ["query cursor"]


@pytest.mark.parametrize("cursor", ["!", "e30", "bnVsbA", "WzEsMl0", "é", "W251bGwsIiJd", "WzEsIkEiXQ"])
def test_a_made_up_cursor_is_refused(untouched, call, cursor):
    assert call("GET", "/products", query={"cursor": cursor}).status == 400


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1.5", "", "1000000000", "²"])
def test_a_limit_out_of_bounds_is_refused(untouched, call, limit):
    answer = call("GET", "/products", query={"limit": limit})
    assert (answer.status, fields_at_fault(answer)) == (400, ["query limit"])


def test_every_fault_of_a_query_is_told(untouched, call):
    answer = call("GET", "/products", query={"limit": "0", "category": "No Such", "page": "2"})
    assert fields_at_fault(answer) == ["query page", "query limit", "query category"]


# --- change and delete


def test_the_version_grows_with_every_write(coat, call):
    changed = call("PUT", "/products/wool-coat", body={**COAT, "stock": 39}, headers={"If-Match": '"1"'})
    assert (changed.status, changed.body["version"], changed.body["stock"]) == (200, 2, 39)
    by_body = call("PUT", "/products/wool-coat", body={**COAT, "stock": 38, "version": 2})
    assert (by_body.status, by_body.body["version"]) == (200, 3)
    assert call("GET", "/products/wool-coat").body == by_body.body


def test_a_put_replaces_the_whole_product(coat, call):
    less = {key: COAT[key] for key in ("name", "category", "price")}
    call("PUT", "/products/wool-coat", body=less, headers={"If-Match": '"1"'})
    assert "sizes" not in call("GET", "/products/wool-coat").body


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({}, {"If-Match": '"1"'}, 412),
        ({"version": 1}, {}, 409),
        ({}, {}, 428),
    ],
)
def test_of_two_writers_who_saw_the_same_version_the_second_is_told(coat, call, body, headers, status):
    call("PUT", "/products/wool-coat", body={**COAT, "stock": 1}, headers={"If-Match": '"1"'})
    late = call("PUT", "/products/wool-coat", body={**COAT, "stock": 2, **body}, headers=headers)
    assert late.status == status
    assert call("GET", "/products/wool-coat").body["stock"] == 1


def test_what_is_not_there_cannot_be_changed_or_deleted(table, call):
    assert call("PUT", "/products/wool-coat", body={**COAT, "version": 1}).status == 404
    assert call("DELETE", "/products/wool-coat", query={"version": "1"}).status == 404


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ({"version": "1"}, {}, 204),
        (None, {"If-Match": '"1"'}, 204),
        ({"version": "2"}, {}, 409),
        (None, {"If-Match": '"2"'}, 412),
        (None, {}, 428),
        ({"version": "new"}, {}, 400),
        (None, {"If-Match": "*"}, 400),
    ],
)
def test_a_delete_says_which_version_it_saw(coat, call, query, headers, status):
    assert call("DELETE", "/products/wool-coat", query=query, headers=headers).status == status
    assert call("GET", "/products/wool-coat").status == (404 if status == 204 else 200)


def test_two_statements_of_the_version_must_agree(coat, call):
    answer = call("PUT", "/products/wool-coat", body={**COAT, "version": 2}, headers={"If-Match": '"1"'})
    assert (answer.status, fields_at_fault(answer)) == (400, ["version"])


def test_the_path_names_the_product(coat, call):
    answer = call("PUT", "/products/wool-coat", body={**COAT, "id": "silk-shirt", "version": 1})
    assert (answer.status, fields_at_fault(answer)) == (400, ["id"])


# --- bad input


def test_every_fault_of_a_product_is_told_with_path_value_and_mend(untouched, call):
    answer = call(
        "POST",
        "/products",
        body={
            "id": "Wool Coat",
            "category": "Coats & jackets",
            "price": {"cents": 249.0, "currency": "euro", "tax": 19},
            "stock": True,
            "colour": "red",
        },
    )
    assert answer.status == 400
    assert fields_at_fault(answer) == [
        "id",
        "name",
        "category",
        "stock",
        "price.tax",
        "price.cents",
        "price.currency",
        "colour",
    ]
    cents = next(one for one in answer.body["problems"] if one["path"] == "price.cents")
    assert cents == {
        "path": "price.cents",
        "value": 249.0,
        "mend": "must be an integer of cents from 0 to 100000000",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"description": 7},
        {"sizes": "S"},
        {"sizes": [""]},
        {"sizes": ["S"] * 31},
        {"stock": -1},
        {"price": 249},
        {"price": {"cents": -1, "currency": "EUR"}},
        {"price": {"cents": 1, "currency": ["EUR"]}},
        {"version": 1},
    ],
)
def test_a_product_beyond_its_limits_is_refused(untouched, call, change):
    answer = call("POST", "/products", body={**COAT, **change})
    assert answer.status == 400
    assert len(answer.body["problems"]) == 1


@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', "[" * 20_000])
def test_a_body_that_is_no_object_is_refused(untouched, call, body):
    answer = call("POST", "/products", body=body)
    assert (answer.status, fields_at_fault(answer)) == (400, ["body"])


def test_a_long_value_is_not_echoed(untouched, call):
    answer = call("POST", "/products", body={**COAT, "name": "x" * 5000})
    assert len(answer.body["problems"][0]["value"]) == 83


def test_a_large_body_is_413_and_a_foreign_type_415(untouched, call):
    assert call("POST", "/products", body={**COAT, "description": "x" * 33_000}).status == 413
    foreign = call("POST", "/products", body="<coat/>", headers={"Content-Type": "text/xml"})
    assert foreign.status == 415


def test_a_type_may_name_its_charset(table, call):
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert call("POST", "/products", body=json.dumps(COAT), headers=charset).status == 201


# --- a table in trouble


@pytest.mark.parametrize(
    "error",
    [
        aws_error("ProvisionedThroughputExceededException", 400),
        aws_error("ThrottlingException", 400),
        aws_error("InternalServerError", 500),
        ConnectTimeoutError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "parts"),
    [
        ("GET", "/products", {}),
        ("GET", "/products/wool-coat", {}),
        ("POST", "/products", {"body": COAT}),
        ("PUT", "/products/wool-coat", {"body": {**COAT, "version": 1}}),
        ("DELETE", "/products/wool-coat", {"query": {"version": "1"}}),
    ],
)
def test_a_table_that_does_not_answer_is_503_with_a_time_to_come_back(call, aws_answers, error, method, path, parts):
    aws_answers(error)
    answer = call(method, path, **parts)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def test_a_fault_of_our_own_is_not_dressed_up_as_a_busy_table(call, aws_answers):
    aws_answers(aws_error("ValidationException", 400))
    with pytest.raises(ClientError, match="ValidationException"):
        call("GET", "/products/wool-coat")


# --- what the functions tell


def test_every_log_line_carries_the_requests_id_and_every_request_is_counted(table, load, invoke, capsys):
    invoke(load().read, "GET", "/products/none")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    refused = next(line for line in lines if line.get("message") == "refused")
    assert refused["correlation_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert [line["Requests"] for line in lines if "Requests" in line] == [[1.0]]


def test_tracing_is_left_out_unless_asked_for(load, monkeypatch):
    asked = []
    monkeypatch.setattr("aws_lambda_powertools.Tracer", lambda: asked.append(1) or _Tracer())
    load()
    assert asked == []
    load(TRACE_CALLS="1")
    assert len(asked) == 3


class _Tracer:
    def capture_lambda_handler(self, handler, *, capture_response):
        assert capture_response is False
        return handler
