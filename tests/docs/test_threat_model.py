"""Every test that the threat model names is there, so that each line is shown by something."""

import re

from pages import REPOSITORY

PAGE = (REPOSITORY / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 25
    for path, name in NAMED:
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"


def test_each_line_names_a_test_or_says_that_nothing_is_done() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| test |" not in line]
    bare = [row for row in rows if not re.search(r"tests/[\w/]+\.py::", row)]
    # What is taken, recorded as said, not seen, or in no epsilon, has no test that prevents it.
    for row in bare:
        assert re.search(r"taken:|recorded as said|not seen|in no epsilon", row), row
