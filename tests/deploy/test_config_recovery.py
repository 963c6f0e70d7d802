"""A second region in `sereno.yaml`: what a person writes of it, and what the watch of each region carries."""

import pytest

from deploy import config
from sereno.errors import InvalidInput
from sereno.model import Mode
from sereno.service import REGION_BACK, REGION_OUT, Service

HOUSE = [
    "fail_back",
    "fail_over",
    "fence_primary",
    "open_incident",
    "raise_capacity",
    "raise_concurrency",
    "request_quota",
]
SHOP = """
service: shop
account: "123456789012"
regions: [eu-west-1, eu-central-1]
resources:
  functions: {checkout: {name: shop-checkout, tables: [orders]}}
  tables: {orders: {name: shop-orders}}
recovery:
  witness: eu-north-1
  url: https://api.shop.example
  urls: {eu-west-1: https://eu-west-1.api.shop.example, eu-central-1: https://eu-central-1.api.shop.example}
"""


# The same with a second function, which answers /health.
TWO = SHOP.replace("functions: {checkout:", "functions: {health: {name: shop-health}, checkout:")


def compiled(text: str):
    return config.compile_config(config.parse(text, remediators=HOUSE))


def shop(more: str = "", text: str = SHOP) -> Service:
    return Service.from_json(compiled(text + more))


def test_three_lines_are_enough_and_the_rest_follows():
    recovery = shop().recovery
    assert recovery is not None
    assert (recovery.primary, recovery.standby, recovery.witness) == ("eu-west-1", "eu-central-1", "eu-north-1")
    assert recovery.strategy == "health-switch"
    assert recovery.bucket == "sereno-shop-switch-123456789012-eu-central-1"
    assert (recovery.name, recovery.zone, recovery.shares) == ("api.shop.example", "", "")
    assert recovery.paths == ("/health",)
    assert (recovery.canary, recovery.canary_key) == (None, "id")
    assert (recovery.confirm_s, recovery.minimum_stay_s, recovery.healthy_s, recovery.stage_s) == (10, 1800, 600, 180)


def test_a_hosted_zone_makes_shares_possible():
    recovery = shop("  zone: Z0123456789ABCDEFGHIJ\n  stage: 5m\n  canary: orders\n  canary_key: order_id\n").recovery
    assert recovery is not None
    assert (recovery.shares, recovery.stage_s) == ("shares.api.shop.example", 300)
    assert (recovery.canary, recovery.canary_key) == ("orders", "order_id")


def test_only_a_health_switch_has_a_bucket_and_its_name_is_never_too_long():
    other = shop("  strategy: metric-switch\n").recovery
    assert other is not None
    assert other.bucket == ""
    own = shop("  bucket: shop-switch\n").recovery
    assert own is not None
    assert own.bucket == "shop-switch"
    long = shop(text=SHOP.replace("service: shop", "service: a-shop-with-a-very-long-name")).recovery
    assert long is not None
    assert len(long.bucket) == 63


def test_the_region_that_takes_over_is_made_as_large_at_once():
    service = shop("playbook: {region-out: {mode: auto}}\n")
    out, back = service.playbook[REGION_OUT], service.playbook[REGION_BACK]
    assert out.rungs == (("fail_over", "raise_concurrency", "raise_capacity"), ("open_incident",))
    assert (out.mode, back.mode, back.rungs) == (Mode.AUTO, Mode.OBSERVE, (("fail_back",),))


def test_without_tables_nothing_raises_them():
    text = SHOP.replace(", tables: [orders]", "").replace("  tables: {orders: {name: shop-orders}}\n", "")
    assert shop(text=text).playbook[REGION_OUT].first == ("fail_over", "raise_concurrency")


def test_one_region_has_no_plays_of_regions():
    text = SHOP.partition("recovery:")[0]
    assert shop(text=text).recovery is None
    assert {REGION_OUT, REGION_BACK}.isdisjoint(shop(text=text).playbook)


@pytest.mark.parametrize("region", ["eu-west-1", "eu-central-1", "eu-north-1"])
def test_each_region_carries_the_same_service_with_itself_as_home(region):
    seen = Service.from_json(config.seen_from(compiled(SHOP), region))
    assert seen.region == region
    assert {"eu-west-1", "eu-central-1"} <= set(seen.regions)
    assert seen.is_standby is (region == "eu-central-1")
    assert seen.recovery == shop().recovery


def test_who_names_writers_has_them_fenced_beside_the_move():
    service = shop("  fence: [checkout]\n", TWO)
    assert service.recovery is not None
    assert service.recovery.fence == ("checkout",)
    assert service.playbook[REGION_OUT].first == ("fail_over", "raise_concurrency", "raise_capacity", "fence_primary")


HTTP = SHOP.replace(
    "  functions:",
    "  apis: {web: {name: shop, kind: http, ids: {eu-west-1: aaaaaaaaaa, eu-central-1: bbbbbbbbbb}}}\n  functions:",
)


def test_an_http_api_has_an_id_of_its_own_in_each_region():
    found = {one["regions"][0]: one["apis"]["web"]["id"] for one in config.watches(compiled(HTTP))}
    assert found == {"eu-west-1": "aaaaaaaaaa", "eu-central-1": "bbbbbbbbbb", "eu-north-1": "aaaaaaaaaa"}
    assert shop(text=HTTP).seen_from("eu-central-1").apis["web"].id == "bbbbbbbbbb"


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ("id: aaaaaaaaaa", "resources.apis.web.ids: has none for eu-west-1, eu-central-1"),
        ("ids: {eu-west-1: aaaaaaaaaa}", "resources.apis.web.ids: has none for eu-central-1"),
        ("ids: {eu-west-2: aaaaaaaaaa}", 'resources.apis.web.ids: "eu-west-2" is none of regions'),
        ("id: aaaaaaaaaa, ids: {eu-west-1: aaaaaaaaaa, eu-central-1: bbbbbbbbbb}", "resources.apis.web.ids: stands"),
    ],
)
def test_an_http_api_without_an_id_in_one_of_them_is_refused(ids, said):
    text = HTTP.replace("ids: {eu-west-1: aaaaaaaaaa, eu-central-1: bbbbbbbbbb}", ids)
    with pytest.raises(InvalidInput) as told:
        shop(text=text)
    assert any(str(one).startswith(said) for one in told.value.problems), told.value


def test_a_sample_of_every_table_is_compared_unless_somebody_says_of_which():
    assert [shop(more).recovery.compare for more in ("", "  compare: []\n", "  compare: [orders]\n")] == [
        ("orders",),
        (),
        ("orders",),
    ]
    with pytest.raises(InvalidInput, match=r'recovery.compare: "carts" is no key of resources.tables'):
        shop("  compare: [carts]\n")


def fencing(more: str, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as told:
        shop(more, text)
    return [str(one) for one in told.value.problems]


def test_fencing_the_only_function_or_all_of_them_is_refused():
    """No probed path would be answered again, and traffic could never go back."""
    (only,) = fencing("  fence: [checkout]\n", SHOP)
    (every,) = fencing("  fence: [health, checkout]\n", TWO)
    for said in (only, every):
        assert "names every declared function" in said
        assert "traffic could never go back" in said


def test_fencing_the_function_behind_a_probed_path_is_refused_unless_another_is_probed():
    assert fencing("  fence: [health]\n", TWO) == [
        'recovery.fence: "health" is fenced, and answers the probed path /health (leave it out of fence, or probe '
        "another path)"
    ]
    service = shop("  fence: [health]\n  paths: [/status]\n", TWO)
    assert service.recovery is not None
    assert service.recovery.fence == ("health",)


def test_a_writer_that_nobody_declared_is_named():
    with pytest.raises(InvalidInput) as told:
        shop("  fence: [pay]\n")
    assert [str(one) for one in told.value.problems] == [
        'recovery.fence: "pay" is no key of resources.functions (those declared: checkout)'
    ]


@pytest.mark.parametrize("strategy", ["zonal_shift", "zonal-shift"])
def test_a_zones_shift_is_refused_with_the_reason(strategy):
    with pytest.raises(InvalidInput) as told:
        shop(f"  strategy: {strategy}\n")
    (problem,) = told.value.problems
    assert str(problem).startswith(f'recovery.strategy: "{strategy}" is for load balancers')
    assert "write health-switch" in str(problem)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SHOP.replace("eu-central-1", "us-gov-west-1"), "lie in different partitions of AWS"),
        (SHOP.replace("eu-north-1", "cn-north-1"), "lie in different partitions of AWS"),
        (
            SHOP.replace("eu-west-1", "cn-north-1")
            .replace("eu-central-1", "cn-northwest-1")
            .replace("  witness: eu-north-1\n", ""),
            "recovery: is not supported in the partition aws-cn",
        ),
        (
            SHOP.replace("https://api.shop.example", "https://shop.example") + "  zone: Z0123456789ABCDEFGHIJ\n",
            "is the apex of its zone",
        ),
    ],
)
def test_what_route_53_cannot_do_is_refused(text, told):
    with pytest.raises(InvalidInput, match=told):
        compiled(text)


def test_a_name_of_two_labels_needs_no_record_without_a_zone():
    assert compiled(SHOP.replace("https://api.shop.example", "https://shop.example"))
