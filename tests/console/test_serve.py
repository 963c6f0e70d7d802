"""The page is served on this machine alone, unless somebody vouches for who asks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from console.serve import door
from sereno.errors import InvalidInput

SECRET = "s" * 40


def wrong(*arguments):
    with pytest.raises(InvalidInput) as refused:
        door(*arguments)
    return str(refused.value)


def token(tmp_path, text=SECRET, mode=0o600):
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_on_loopback_it_is_whoever_started_it(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "maria")
    guarded = door("127.0.0.1", [], None, [], None)
    assert guarded.person == "maria"
    assert "localhost" in guarded.hosts


@pytest.mark.parametrize(
    ("host", "named", "header", "proxies", "said"),
    [
        ("0.0.0.0", ["page"], None, [], "give --trust-proxy-header or --token-file, or listen on 127.0.0.1"),
        ("10.0.0.5", [], None, [], "is reached by others"),
        ("0.0.0.0", [], "X-User", [], "--name: must say by which names"),
        ("10.0.0.5", [], "X User", [], "is no name of a header"),
        ("127.0.0.1", [], None, ["10.0.0.1"], "needs --trust-proxy-header"),
        ("10.0.0.5", [], "X-User", ["ten"], "is no IP address"),
        ("10.0.0.5", ["page:80"], "X-User", [], "is no host name"),
    ],
)
def test_others_are_not_let_in_unasked(host, named, header, proxies, said):
    assert said in wrong(host, named, header, proxies, None)


def test_a_token_is_read_from_a_file_that_nobody_else_can_read_and_never_told(tmp_path):
    assert door("10.0.0.5", ["page.example.com"], None, [], token(tmp_path)).token == SECRET
    for text, mode, said in ((SECRET, 0o644, "can be read by others: chmod 600"), ("short", 0o600, "fewer than")):
        told = wrong("10.0.0.5", [], None, [], token(tmp_path, text, mode))
        assert said in told
        assert text not in told
    assert "cannot be read" in wrong("10.0.0.5", [], None, [], tmp_path / "none")
    assert "cannot go with" in wrong("10.0.0.5", [], "X-User", [], token(tmp_path))


def test_the_command_really_serves_a_page_and_ends_when_it_is_interrupted(tmp_path):
    """A process of its own; there is no account behind it, and the page says so instead of failing."""
    config = tmp_path / "sereno.yaml"
    config.write_text(
        'service: shop\naccount: "123456789012"\nregion: eu-west-1\n'
        "resources:\n  functions:\n    read: {name: shop-read}\n"
    )
    # An address where nothing listens: AWS does not answer.
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    process = subprocess.Popen(
        [sys.executable, "-m", "console.main", "serve", "--config", str(config), "--port", "8760"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **nowhere, "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[2],
    )
    try:
        address = re.search(r"http://\S+", process.stdout.readline())[0]
        with urllib.request.urlopen(address + "static/page.css", timeout=20) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(2)
        _, said = process.communicate(timeout=20)
    assert "Traceback" not in said
    assert process.returncode in (0, 130)
