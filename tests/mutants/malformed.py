"""Files that are no configuration, each wrong in its own way: broken, endless, huge, or meant for something else."""

from __future__ import annotations

HEAD = 'service: shop\naccount: "123456789012"\nregion: eu-west-1\n'
BODY = "resources: {functions: {checkout: {name: shop-checkout, reserved: 50}}}\n"
GOOD = HEAD + BODY
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def with_value(key: str, value: str) -> str:
    """A configuration with one more line at its end."""
    return f"{GOOD}{key}: {value}\n"


def function(value: str, key: str = "reserved") -> str:
    """A configuration with this value at a function."""
    return f"{HEAD}resources: {{functions: {{checkout: {{name: shop-checkout, {key}: {value}}}}}}}\n"


MALFORMED: dict[str, str | bytes] = {
    # tags that the value does not have
    **{
        f"tag-{tag}": function(f"!!{tag} abc")
        for tag in ("int", "float", "bool", "null", "timestamp", "binary", "set")
    },
    **{
        f"tag-{tag}-of-a-list": function(f"!!{tag} [1]")
        for tag in ("int", "float", "bool", "str", "map", "omap", "pairs")
    },
    **{f"tag-{tag}-of-a-map": function(f"!!{tag} {{a: 1}}") for tag in ("int", "float", "bool", "str", "seq", "set")},
    "tag-python": function("!!python/object/apply:os.system [id]"),
    "tag-own": function("!secret abc"),
    "tag-on-the-file": f"!!set\n{GOOD}",
    # keys
    "key-list": f"{GOOD}? [a, b]\n: 1\n",
    "key-map": f"{GOOD}? {{a: b}}\n: 1\n",
    "key-number": f"{GOOD}1: 1\n",
    "key-null": f"{GOOD}~: 1\n",
    "key-true": f"{GOOD}true: 1\n",
    "key-infinite": f"{GOOD}.inf: 1\n",
    "key-empty": f"{GOOD}'': 1\n",
    "key-tagged": f"{GOOD}!!int abc: 1\n",
    "key-of-a-function-is-a-list": HEAD + "resources: {functions: {[a]: {name: b}}}\n",
    "key-twice": f"{GOOD}service: other\n",
    "key-long": f"{GOOD}{'k' * 2000}: 1\n",
    # depth
    "deep-lists": with_value("bind", "[" * 5000),
    "deep-lists-closed": with_value("bind", "[" * 5000 + "]" * 5000),
    "deep-maps": with_value("bind", "{a: " * 1500 + "1" + "}" * 1500),
    "deep-blocks": GOOD + "bind:\n" + "".join(f"{' ' * (level + 1)}a:\n" for level in range(900)),
    "deep-lines": GOOD + "bind:\n " + "- " * 3000 + "x\n",
    "deep-from-the-start": "[" * 10_000,
    # aliases
    "alias-to-itself": with_value("bind", "&a [*a]"),
    "alias-to-its-map": with_value("bind", "&a {b: *a}"),
    "alias-unknown": with_value("bind", "*nowhere"),
    "alias-laughs": f"{GOOD}{LAUGHS}",
    "merge-of-a-number": f"{GOOD}<<: 3\n",
    "merge-of-itself": f"{GOOD}bind: &a {{<<: *a}}\n",
    # numbers
    "number-of-6000-digits": function("9" * 6000),
    "number-of-4000-digits": function("9" * 4000),
    "number-of-400-digits": function("9" * 400),
    "number-below-zero": function(f"-{'9' * 400}"),
    "number-in-hexadecimal": function(f"0x{'f' * 5000}"),
    "number-infinite": function(".inf"),
    "number-none": function(".nan"),
    "normal-infinite": function(".inf", "normal"),
    "normal-none": function(".nan", "normal"),
    "number-with-a-large-exponent": function("1.0e+999"),
    "number-in-base-60": function("1:" + "59:" * 400 + "59"),
    "timeout-of-999": function(f"{'9' * 400}s", "timeout"),
    "timeout-of-a-century": function("36500d", "timeout"),
    "surge-of-999": GOOD + f"objectives: {{surge: {'9' * 400}x}}\n",
    "availability-of-999": GOOD + f"objectives: {{availability: {'9' * 400}%}}\n",
    "rpo-of-999": GOOD + f"objectives: {{rpo: {'9' * 5000}m}}\n",
    # text
    "half-a-character": with_value("bind", '{"\\ud800": a}'),
    "half-a-character-as-a-value": function('"\\udfff"', "name"),
    "escape-sequence": function('"\\e[2J\\e]0;x\\a"', "name"),
    "null-character": f"{GOOD}bind: \x00\n",
    "raw-escape": f"{GOOD}bind: \x1b[2J\n",
    "no-utf-8": b"service: \xff\xfe\xfa\n",
    "utf-16": GOOD.encode("utf-16"),
    "utf-16-without-a-mark": GOOD.encode("utf-16-le"),
    "tabs": "service:\tshop\n\taccount: 1\n",
    # size
    "30-megabytes": b"#" + b"x" * 30 * 1024 * 1024,
    "a-million-keys": GOOD + "".join(f"k{number}: 1\n" for number in range(60_000)),
    "long-value": function("x" * 400_000, "name"),
    # shape
    "empty": "",
    "only-null": "~",
    "only-a-number": "42",
    "only-a-list": "- a\n- b\n",
    "two-documents": f"{GOOD}---\n{GOOD}",
    "not-closed": function("[1, 2"),
    "sections-are-numbers": HEAD + "resources: 3\nobjectives: 4\nplaybook: 5\nnotifications: 6\nrecovery: 7\n",
    "sections-are-lists": HEAD + "resources: []\nobjectives: []\nplaybook: []\nnotifications: []\nrecovery: []\n",
    "sections-are-nothing": HEAD + "resources:\nobjectives:\nplaybook:\nnotifications:\nrecovery:\nevents:\n",
    "resources-are-lists": HEAD + "resources: {functions: [], tables: [1], apis: {a: []}}\n",
    "events-are-maps": GOOD + "events: {a: {b: c}}\n",
    "names-are-maps": "service: {a: b}\naccount: [1]\nregion: {c: d}\nresources: {functions: {a: {name: {b: c}}}}\n",
    # other files
    "credentials": "[default]\naws_access_key_id = AKIAHIDDENHIDDEN\naws_secret_access_key = hidden/hidden/hidden\n",
    "environment": "AWS_SECRET_ACCESS_KEY: hidden-hidden\nTOKEN: xoxb-hidden\n",
    "private-key": "-----BEGIN PRIVATE KEY-----\nhiddenhiddenhidden\n-----END PRIVATE KEY-----\n",
    "prose": "The password of the vault is: hidden-hidden, and: nobody knows 'hidden hidden'.\n",
    "json": '{"token": "hidden-hidden"',
    "alias-in-another-file": "password: *hidden-hidden\n",
    "tag-in-another-file": "password: !hidden-hidden x\n",
    "quoted-in-another-file": "a: 'hidden-hidden' 'hidden-hidden'\nb\n",
}
