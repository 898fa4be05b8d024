"""The documents, as the tests read them: pages, their code blocks, their headings."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(REPOSITORY.glob("zk0-*/README.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    note: str
    """What follows the language on the opening line."""
    text: str

    @property
    def file(self) -> str:
        """The file that the block is to be written to; empty for none."""
        return self.note.removeprefix("file=") if self.note.startswith("file=") else ""

    def commands(self) -> list[str]:
        """Return what follows each `$ `; a line that ends with a backslash goes on in the next."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of `page`."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        language, _, note = found["info"].partition(" ")
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, language, note.strip(), found["text"])


def prose(page: Path) -> str:
    """Return the text of `page` without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def first_cells(page: Path, heading: str) -> list[str]:
    """Return the first cells of the table under `heading`, backquotes taken off."""
    section = re.split(r"^#+ ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    body = next(part for part in section if part.startswith(heading + "\n"))
    rows = [line for line in body.splitlines() if line.startswith("|")][2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]
