"""What differs between datasets that are to train one policy, and what would mend it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from zk0_core.data import DatasetSchema, Statistics
from zk0_core.datacheck.findings import Finding
from zk0_core.datacheck.names import camera_pairs, joint_pairs, merged, rename_words
from zk0_core.datacheck.ranges import FULL_TURN_RAD, STATE, arm_joints, arm_reach

DEGREES = 45.0
"""A joint that goes further than this is not in radians."""
PERCENT = 100.0
APART = 30.0
"""Two ranges of one joint that are this far apart were measured from different zeros."""


@attrs.frozen
class Side:
    """One dataset of several: what is known of it without seeing a frame."""

    name: str
    """Its address, or whose it is."""
    schema: DatasetSchema
    statistics: Statistics
    node: bool = False
    """Whether it is a node's, whose operator can mend it and none of the others."""


def reference(sides: Sequence[Side]) -> Side:
    """Return the side that most others are like; of several, the first."""
    kinds = [_kind(side.schema) for side in sides]
    return sides[kinds.index(Counter(kinds).most_common(1)[0][0])]


def differences(sides: Sequence[Side], *, cameras: bool) -> list[Finding]:
    """Return what differs between `sides`, each against the reference.

    Args:
        sides: At least one.
        cameras: Whether all must have the same cameras; a policy that looks at some of them
            checks that itself.
    """
    ours = reference(sides)
    found: list[Finding] = []
    for side in sides:
        if side is not ours:
            found += _against(ours, side, cameras)
    return found


def rename_map(ours: DatasetSchema, theirs: DatasetSchema) -> dict[str, str]:
    """Return the names that would make `theirs` like `ours`; empty where there are none."""
    maps = [camera_pairs(list(theirs.cameras), list(ours.cameras))]
    for what in ("state", "action"):
        maps.append(joint_pairs(getattr(theirs, what), getattr(ours, what)) or {})
    return merged(maps) or {}


def _kind(schema: DatasetSchema) -> tuple[object, ...]:
    return schema.state, schema.action, schema.fps, tuple(sorted(schema.cameras))


def _against(ours: Side, theirs: Side, cameras: bool) -> Iterator[Finding]:
    rename = rename_map(ours.schema, theirs.schema)
    one, two = ours.schema, theirs.schema
    if cameras:
        yield from _cameras(ours, theirs, rename)
    for what in ("state", "action"):
        yield from _joints(ours, theirs, what, rename)
    if one.fps != two.fps:
        yield _finding(
            theirs,
            "fps",
            f"fps is {two.fps}, {ours.name} has {one.fps}",
            _one_rate(ours, theirs),
        )
    if one.robot != two.robot:
        yield _finding(
            theirs,
            "robot",
            f"robot is {two.robot}, {ours.name} has {one.robot}",
            "see whether joints of the same name mean the same",
            error=False,
        )
    if len(one.state) == len(two.state):
        yield from _values(ours, theirs)


def _cameras(ours: Side, theirs: Side, rename: dict[str, str]) -> Iterator[Finding]:
    own = {rename.get(name, name): shape for name, shape in theirs.schema.cameras.items()}
    missing = [name for name in ours.schema.cameras if name not in theirs.schema.cameras]
    spare = [name for name in theirs.schema.cameras if name not in ours.schema.cameras]
    if missing:
        pairs = {old: new for old, new in rename.items() if old in spare}
        words = rename_words(pairs, theirs.node)
        mend = f"if they show the same, say {words} for it" if pairs else "record them"
        yield _finding(
            theirs,
            "cameras",
            f"no camera {', '.join(missing)}, which {ours.name} has; it has "
            f"{', '.join(theirs.schema.cameras) or 'none'}",
            mend,
        )
    elif spare:
        yield _finding(
            theirs,
            "cameras",
            f"camera {', '.join(spare)} besides those of {ours.name}",
            "name the cameras to use with the option cameras of the policy",
            error=False,
        )
    for name, shape in ours.schema.cameras.items():
        if own.get(name, shape) != shape:
            yield _finding(
                theirs,
                "cameras",
                f"{name} is {_size(own[name])}, {ours.name} has {_size(shape)}",
                "SmolVLA resizes pictures; other policies need one size",
                error=False,
            )


def _joints(ours: Side, theirs: Side, what: str, rename: dict[str, str]) -> Iterator[Finding]:
    one, two = getattr(ours.schema, what), getattr(theirs.schema, what)
    if one == two:
        return
    problem = f"{what} has {_joint_list(two)}, {ours.name} has {_joint_list(one)}"
    if len(one) != len(two):
        mend = "one policy needs the same number of joints: choose datasets of one kind of robot"
    elif (pairs := joint_pairs(two, one)) is None:
        problem = f"{what} has the joints of {ours.name} in another order: {', '.join(two)}"
        problem += f" against {', '.join(one)}"
        mend = "a rename cannot move columns: record or convert it in the same order"
    else:
        needed = {old: new for old, new in rename.items() if old in pairs}
        mend = (
            f"if they are the same joints in this order, say {rename_words(needed, theirs.node)} "
            "for it"
            if needed
            else "no rename map would do for state and action at once: record or convert it"
        )
    yield _finding(theirs, "joints", problem, mend)


def _values(ours: Side, theirs: Side) -> Iterator[Finding]:
    """Yield what the sums tell of units and zeros, joint by joint of one place."""
    for small, large in ((ours, theirs), (theirs, ours)):
        low = arm_reach(small.schema.state, small.statistics)
        high = arm_reach(large.schema.state, large.statistics)
        if 0 < low <= FULL_TURN_RAD and high >= DEGREES:
            yield _finding(
                theirs,
                "units",
                f"{small.name} stays within ±{low:.2f} and {large.name} reaches {high:.0f}: "
                "radians against degrees",
                "convert one of them",
                error=False,
            )
            return
        if low == PERCENT and high > PERCENT:
            yield _finding(
                theirs,
                "units",
                f"{small.name} ends at exactly ±100 and {large.name} reaches {high:.0f}: "
                "percent of a joint's range against degrees",
                "convert one of them, or record with the same use_degrees",
                error=False,
            )
            return
    apart = list(_apart(ours, theirs))
    if apart:
        yield _finding(
            theirs,
            "ranges",
            f"{', '.join(apart)} against {ours.name}: ranges that lie far apart",
            "see whether both arms are calibrated alike",
            error=False,
        )


def _apart(ours: Side, theirs: Side) -> Iterator[str]:
    one, two = ours.statistics[STATE], theirs.statistics[STATE]
    for i in arm_joints(ours.schema.state):
        if max(two.min[i] - one.max[i], one.min[i] - two.max[i]) > APART:
            yield (
                f"{theirs.schema.state[i]} is {two.min[i]:.0f} to {two.max[i]:.0f} "
                f"(there {one.min[i]:.0f} to {one.max[i]:.0f})"
            )


def _one_rate(ours: Side, theirs: Side) -> str:
    """Return how both come to the same rate."""
    slow, fast = sorted((ours, theirs), key=lambda side: side.schema.fps)
    if fast.schema.fps % slow.schema.fps or (theirs.node and fast is ours):
        return "one policy needs one rate: record or convert it at the same"
    share = fast.schema.fps // slow.schema.fps
    return (
        f"one policy needs one rate: fps={slow.schema.fps} in the address of {fast.name} takes "
        f"one frame of {share}"
    )


def _finding(side: Side, what: str, problem: str, fix: str, *, error: bool = True) -> Finding:
    return Finding(dataset=side.name, what=what, problem=problem, fix=fix, error=error)


def _joint_list(joints: Sequence[str]) -> str:
    return f"{len(joints)} joints {', '.join(joints)}"


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]}"
