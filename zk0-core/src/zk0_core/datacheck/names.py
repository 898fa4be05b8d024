"""Which names of two datasets mean the same thing: the rename map that would make them alike."""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence

from zk0_core.errors import DataError

_ALIKE = (
    {"wrist", "gripper", "hand", "eef"},
    {"top", "up", "above", "overhead", "high"},
    {"front", "laptop", "webcam", "low"},
)
"""What people call a camera of the same place."""


def camera_pairs(theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """Return which of their cameras probably show what ours do that they lack, old name to new.

    The likest names are paired first; what is left is paired in order. Nothing is paired where
    they have too few cameras for all that they lack.
    """
    spare = [name for name in theirs if name not in ours]
    missing = [name for name in ours if name not in theirs]
    if len(spare) < len(missing):
        return {}
    pairs: dict[str, str] = {}
    ranked = sorted(
        (-_likeness(old, new), spare.index(old), missing.index(new))
        for old in spare
        for new in missing
    )
    for _, old, new in ranked:
        if spare[old] not in pairs and missing[new] not in pairs.values():
            pairs[spare[old]] = missing[new]
    return {old: pairs[old] for old in spare if old in pairs}


def joint_pairs(theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str] | None:
    """Return the new names of their joints, old name to new, joint by joint.

    Returns:
        None where no names would do: their number differs, or the same joints stand in another
        order, which a name cannot change.
    """
    if len(theirs) != len(ours):
        return None
    bare_theirs, bare_ours = [_bare(name) for name in theirs], [_bare(name) for name in ours]
    for place, name in enumerate(bare_theirs):
        if name in bare_ours and bare_ours[place] != name:
            return None
    return {old: new for old, new in zip(theirs, ours, strict=True) if old != new}


def merged(maps: Sequence[Mapping[str, str]]) -> dict[str, str] | None:
    """Return several rename maps as one; None where they contradict each other."""
    both: dict[str, str] = {}
    for each in maps:
        for old, new in each.items():
            if both.setdefault(old, new) != new:
                return None
    return both


def rename_words(rename: Mapping[str, str], node: bool) -> str:
    """Return a rename map the way a run file has it, or the command of a node."""
    if node:
        return " ".join(f"--rename {shlex.quote(f'{old}={new}')}" for old, new in rename.items())
    pairs = ", ".join(f'"{old}" = "{new}"' for old, new in rename.items())
    return f"rename = {{ {pairs} }}"


class UnfitNames(DataError):
    """Data that would fit under other names; the text has them as a run file does."""

    def __init__(self, problem: str, rename: Mapping[str, str]) -> None:
        """Say `problem`, and which `rename` map would mend it."""
        super().__init__(problem, dict(rename))  # what another process makes it from again

    def __str__(self) -> str:
        return self.said(node=False)

    def said(self, *, node: bool) -> str:
        """Return the text for whoever wrote the run file, or started the node."""
        problem, rename = self.args
        return f"{problem}, say {rename_words(rename, node)} for it"


def _likeness(one: str, other: str) -> float:
    """Return how alike two cameras' names are, 0 to 2."""
    a, b = (set(re.split(r"[^a-z]+", name.rsplit(".", 1)[-1].lower())) for name in (one, other))
    same_place = any(a & group and b & group for group in _ALIKE)
    return same_place + difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _bare(joint: str) -> str:
    """Return a joint's name without what recorders of different age put around it."""
    name = joint.lower().replace("-", "_").replace(" ", "_")
    return name.removeprefix("main_").removesuffix(".pos").removesuffix("_pos")
