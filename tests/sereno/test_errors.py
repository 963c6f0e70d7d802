"""An error names the place, the value and the mend, and all of them at once."""

from __future__ import annotations

from sereno.errors import InvalidInput, Problem


def test_a_problem_reads_as_one_line():
    problem = Problem("functions.read.reserved", -5, "must be at least 0")
    assert str(problem) == 'functions.read.reserved: "-5" must be at least 0'
    assert str(Problem("account", None, "is missing: add the 12 digits")) == "account: is missing: add the 12 digits"


def test_all_problems_are_told_not_only_the_first():
    error = InvalidInput("sereno.yaml", [Problem("a", 1, "is wrong"), Problem("b", 2, "is wrong too")])
    assert str(error) == 'sereno.yaml: a: "1" is wrong\nsereno.yaml: b: "2" is wrong too'
    assert len(error.problems) == 2
