"""Each intrinsic function gives what its page says, or an Unknown that says why not."""

from __future__ import annotations

import pytest

from deploy.intake import decode
from deploy.intake.scope import Given, Scope
from deploy.intake.values import Trace, Unknown

TEMPLATE = """
Parameters:
  Stage: {Type: String, Default: prod}
  Zones: {Type: CommaDelimitedList, Default: "a, b,c"}
  Flag: {Type: String, Default: true}
  Open: {Type: String}
Mappings:
  Sizes: {prod: {Memory: 512, Names: [x, y]}}
Conditions:
  Live: !Equals [!Ref Stage, prod]
  Flagged: !Equals [!Ref Flag, "true"]
  Dark: !Not [!Condition Live]
  Unsure: !Equals [!Ref Open, x]
  SafeOr: !Or [!Condition Unsure, !Condition Live]
  SafeAnd: !And [!Condition Unsure, !Condition Dark]
Resources:
  Cart: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub "cart-${Stage}"}}
  Items: {Type: AWS::DynamoDB::Table}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: cart}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod}}
  Sam: {Type: AWS::Serverless::Function, Properties: {FunctionName: sam, AutoPublishAlias: live}}
"""

KNOWN = [
    ("!Ref Stage", "prod"),
    ("!Ref Zones", ["a", "b", "c"]),
    ("!Ref Cart", "cart-prod"),
    ("!Ref Items", "shop-Items"),
    ("!Ref Sam.Alias", "arn:aws:lambda:eu-west-1:123456789012:function:sam:live"),
    ("!Ref AWS::Region", "eu-west-1"),
    ("!GetAtt Cart.Arn", "arn:aws:lambda:eu-west-1:123456789012:function:cart-prod"),
    ("!GetAtt [Items, Arn]", "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-Items"),
    ("!GetAtt Items.StreamArn", "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-Items/stream/latest"),
    ("!GetAtt Role.Arn", "arn:aws:iam::123456789012:role/cart"),
    ("!GetAtt Queue.QueueName", "jobs"),
    ('!Sub "${Stage}-${AWS::AccountId}-${!Kept}"', "prod-123456789012-${Kept}"),
    ('!Sub ["${A}/${Stage}", {A: !Ref Zones.Nope}]', None),
    ('!Sub ["${A}/${Stage}", {A: 7}]', "7/prod"),
    ('!Join ["-", [a, !Ref Stage, 3, !Ref AWS::NoValue]]', "a-prod-3"),
    ('!Join [",", !Ref Zones]', "a,b,c"),
    ("!Select [1, !Ref Zones]", "b"),
    ('!Select ["2", [x, y, z]]', "z"),
    ("!Select [9, [x]]", None),
    ('!Split ["/", "a/b"]', ["a", "b"]),
    ("!FindInMap [Sizes, !Ref Stage, Memory]", 512),
    ("!FindInMap [Sizes, nope, Memory]", None),
    ("!FindInMap [Sizes, nope, Memory, {DefaultValue: 128}]", 128),
    ("!If [Live, yes it is, no]", "yes it is"),
    ("!If [Dark, yes, !Ref Stage]", "prod"),
    ("!If [Unsure, same, same]", "same"),
    ("!If [Unsure, one, other]", None),
    ("!If [SafeOr, decided, not]", "decided"),
    ("!If [SafeAnd, not, decided]", "decided"),
    ("!If [Flagged, text and boolean are one, no]", "text and boolean are one"),
    ("!Base64 abc", "YWJj"),
    ("!Cidr [10.0.0.0/16, 2, 8]", ["10.0.0.0/24", "10.0.1.0/24"]),
    ("!Length [a, b]", 2),
    ("!Length !Ref Zones", None),
    ("!ToJsonString {a: !Ref Stage}", '{"a": "prod"}'),
    ('!GetAZs ""', None),
    ("!ImportValue there", "exported"),
    ("!ImportValue nowhere", None),
    ("!Ref Open", None),
    ("!Ref Nobody", None),
    ("!GetAtt Queue.Nothing", None),
    ("!Transform {Name: Macro}", None),
    ('"{{resolve:ssm:/a}}"', None),
    ('!Sub "{{resolve:ssm:/${Stage}}}"', None),
    ("[!Ref AWS::NoValue, a]", ["a"]),
    ("{a: !Ref AWS::NoValue, b: 1}", {"b": 1}),
]


@pytest.fixture(scope="module")
def scope() -> Scope:
    given = Given("shop", "eu-west-1", "123456789012", frozenset({"AWS::StackName"}), exports={"there": "exported"})
    return Scope(decode.decode(TEMPLATE, "template"), given)


@pytest.mark.parametrize(("text", "value"), KNOWN, ids=[text for text, _ in KNOWN])
def test_it_gives_its_value_or_says_why_not(scope, text, value):
    if text == "!Length !Ref Zones":  # YAML takes no tag behind a tag; the long form does
        node, value = {"Fn::Length": {"Ref": "Zones"}}, 3
    else:
        node = decode.decode(text, "template")
    found = scope.resolve(node, Trace())
    if value is None:
        assert isinstance(found, Unknown)
        assert found.why
    else:
        assert found == value


def test_a_trace_tells_what_a_value_leans_on(scope):
    trace = Trace()
    scope.resolve(decode.decode('!Sub "${Stage}-${Items}"', "template"), trace)
    assert (trace.defaults, trace.generated, trace.pseudo) == ({"Stage"}, {"Items"}, {"AWS::StackName"})


def test_an_api_that_is_not_deployed_has_an_id_that_no_api_has(scope):
    first = scope.ref("Api", Trace())
    assert first == scope.api_id("Api", Trace())
    assert len(first) > 10


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("cn-north-1", "arn:aws-cn:iam::123456789012:role/cart"),
        ("us-gov-west-1", "arn:aws-us-gov:iam::123456789012:role/cart"),
    ],
)
def test_arns_are_of_the_regions_partition(region, arn):
    scope = Scope(decode.decode(TEMPLATE, "template"), Given("shop", region, "123456789012"))
    assert scope.attribute("Role", "Arn", Trace()) == arn
