"""The names of people: which may stand in the history, and when two of them are one person.

A name arrives from four places: the login or `--by` of the command, a proxy's header, the sign-in form of the on-call
page, and Slack. Nobody may pass for another by a name that only looks different, and everybody who signs in with a
shared token counts as one person, because a token proves no more than that.
"""

from __future__ import annotations

import re
import unicodedata

NAME_LIMIT = 100
# Who came by Slack stands as "name (U0123456789)": the name is theirs to change, the id is not.
# https://docs.slack.dev/reference/objects/user-object
_SLACK_ID = re.compile(r"\(([uw][a-z0-9]{6,})\)$", re.IGNORECASE)
TOKEN_MARK = "(shared token)"  # noqa: S105 a mark in a name, no secret
"""Ends the name of everybody who signed in with the page's token."""

# Scripts that are written together: Japanese mixes four of them with Latin letters.
# https://www.unicode.org/reports/tr39/#Restriction_Level_Detection (highly restrictive)
_TOGETHER = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"})
# Letters that look like a Latin one, and digits that look like a letter.
# https://www.unicode.org/Public/security/latest/confusables.txt
_LOOKS_LIKE = str.maketrans(
    {
        # Cyrillic
        **{"а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "ѕ": "s", "і": "i", "ј": "j"},
        **{"ӏ": "l", "һ": "h", "ԁ": "d", "ԛ": "q", "ԝ": "w", "ү": "y", "ѵ": "v", "г": "r", "п": "n", "ь": "b"},
        **{"А": "A", "В": "B", "Е": "E", "Ѕ": "S", "І": "l", "Ј": "J", "К": "K", "М": "M", "Н": "H", "О": "O"},
        **{"Р": "P", "С": "C", "Т": "T", "У": "Y", "Х": "X", "Ԁ": "D", "Ԛ": "Q", "Ԝ": "W", "Ү": "Y", "Ѵ": "V"},
        # Greek
        **{"α": "a", "ο": "o", "ν": "v", "ρ": "p", "ι": "i", "γ": "y", "σ": "o", "υ": "u", "κ": "k", "χ": "x"},
        **{"Α": "A", "Β": "B", "Ε": "E", "Ζ": "Z", "Η": "H", "Ι": "l", "Κ": "K", "Μ": "M", "Ν": "N", "Ο": "O"},
        **{"Ρ": "P", "Τ": "T", "Υ": "Y", "Χ": "X"},
        # Armenian
        **{"օ": "o", "ս": "u", "ո": "n", "հ": "h", "ց": "g", "յ": "j", "Օ": "O", "Տ": "S", "Լ": "L"},
        # Latin letters and digits
        **{"ı": "i", "ɑ": "a", "ɡ": "g", "ʟ": "l", "0": "O", "1": "l", "I": "l", "|": "l"},
    }
)


def fault(name: str) -> str:
    """Why a name that somebody gives for themselves cannot stand in the history; nothing when it can."""
    if not name.strip():
        return "is empty (say who asks)"
    if len(name) > NAME_LIMIT:
        return f"is longer than {NAME_LIMIT} characters"
    if not name.isprintable():
        return "holds characters that cannot be seen (write the name anew)"
    if imitates := imitation(name):
        return imitates
    if _SLACK_ID.search(name.strip()):
        return "ends like a Slack id (only Slack itself says who somebody is there)"
    if name.strip().casefold().endswith(TOKEN_MARK):
        return f"ends in {TOKEN_MARK} (only the on-call page adds that)"
    return ""


def imitation(name: str) -> str:
    """Why a name may be made to look like another's; nothing when it is plain."""
    scripts = _mixed(name)
    return (
        f"mixes {' and '.join(scripts)} letters in one word, as a name that imitates another does" if scripts else ""
    )


def by_token(name: str) -> str:
    """The name of somebody who signed in with the shared token."""
    return f"{name} {TOKEN_MARK}"


def by_slack(name: str, user: str) -> str:
    """The name of somebody whom Slack vouches for: shortened where it is long, and the id alone where it cannot be
    read or imitates another."""
    room = NAME_LIMIT - len(user) - len(" ()")
    seen = " ".join("".join(letter for letter in name if letter.isprintable()).split())
    short = seen if len(seen) <= room else f"{seen[: room - 1]}…"
    return f"({user})" if not short or _mixed(short) else f"{short} ({user})"


def same(name: str) -> str:
    """A name as it is compared: without regard to capitals, blanks, what cannot be seen, and ways to write a letter;
    who came by Slack by the Slack id alone, and who came by the shared token by that alone."""
    plain = _seen(name).casefold()
    if plain.endswith(TOKEN_MARK):
        return TOKEN_MARK
    slack = _SLACK_ID.search(plain)
    return slack[1] if slack else plain


def same_person(one: str, other: str) -> bool:
    """Whether two names may be one person's: they are equal as compared, or look alike."""
    if _marked(one) or _marked(other):  # what Slack and the page vouch for has nothing to do with looks
        return same(one) == same(other)
    return same(one) == same(other) or _skeleton(one) == _skeleton(other)


def _skeleton(name: str) -> str:
    """What a name looks like. Two names with one skeleton are confusable; see Unicode's UTS 39, section 4."""
    letters = unicodedata.normalize("NFD", _seen(name))
    bare = "".join(one for one in letters if not unicodedata.combining(one)).translate(_LOOKS_LIKE)
    return bare.replace("rn", "m").replace("vv", "w").casefold()


def _marked(name: str) -> bool:
    plain = _seen(name).casefold()
    return plain.endswith(TOKEN_MARK) or bool(_SLACK_ID.search(plain))


def _seen(name: str) -> str:
    letters = unicodedata.normalize("NFKC", " ".join(name.split()))
    return " ".join("".join(one for one in letters if not unicodedata.category(one).startswith("C")).split())


def _mixed(name: str) -> list[str]:
    """The scripts of the first word that mixes two which are not written together."""
    for word in re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", name)):
        scripts = {unicodedata.name(letter, "UNKNOWN").split()[0] for letter in word} - _TOGETHER
        if len(scripts) > 1:
            return sorted(script.capitalize() for script in scripts)
    return []
