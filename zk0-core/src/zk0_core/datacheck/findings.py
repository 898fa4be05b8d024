"""What a check found: one thing wrong with one dataset, and what to do about it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import attrs

from zk0_core.errors import DataError


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was found."""

    dataset: str
    """Address of the dataset, or who has it, such as "client 'left-desk'"."""
    what: str
    """What it is about: format, rows, video, joints, fps, ranges, ..."""
    problem: str
    """Half a sentence that names the episode where it is one episode's."""
    fix: str
    episodes: tuple[int, ...] = ()
    """The episodes that are hit; empty where it is the dataset's as a whole."""
    error: bool = True
    """Whether nothing can be trained on it; else it is a warning."""

    @property
    def text(self) -> str:
        """The finding as one line."""
        return f"{self.dataset}: {self.problem}; {self.fix}"


class UnfitDataset(DataError):
    """A dataset that cannot be used, with everything that was found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Say the first of `findings`, and how many there are besides."""
        more = len(findings) - 1
        rest = f" (and {more} more, which `zk0 data check` lists)" if more else ""
        super().__init__(findings[0].text + rest)
        self.findings = tuple(findings)


@runtime_checkable
class Inspected(Protocol):
    """A dataset that can tell what only the reader of its format sees."""

    def findings(self) -> Iterable[Finding]:
        """Yield what is wrong with its files, without decoding pictures."""
        ...


def require_fit(findings: Iterable[Finding], warn: Callable[[str], object]) -> None:
    """Raise UnfitDataset if one of `findings` is an error; tell `warn` the others."""
    found = list(findings)
    for finding in found:
        if not finding.error:
            warn(finding.text)
    if errors := [finding for finding in found if finding.error]:
        raise UnfitDataset(errors)


def numbers(episodes: Sequence[int]) -> str:
    """Return episode numbers the short way, such as "3, 5-8"."""
    pieces: list[list[int]] = []
    for episode in sorted(set(episodes)):
        if pieces and episode == pieces[-1][-1] + 1:
            pieces[-1] = [pieces[-1][0], episode]
        else:
            pieces.append([episode])
    return ", ".join("-".join(map(str, piece)) for piece in pieces)


def named(episodes: Sequence[int]) -> str:
    """Return "episode 3", or "episodes 3, 5-8"."""
    return f"episode{'s' if len(set(episodes)) > 1 else ''} {numbers(episodes)}"
