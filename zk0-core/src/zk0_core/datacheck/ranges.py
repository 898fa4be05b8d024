"""What a dataset's schema and sums tell of units and ranges: all that a server ever sees of it."""

from collections.abc import Iterator

from zk0_core.data import DatasetSchema, Statistics
from zk0_core.datacheck.findings import Finding

FULL_TURN_RAD = 6.2832
FULL_TURN_DEG = 360.0
STATE = "observation.state"


def range_findings(
    dataset: str, schema: DatasetSchema, statistics: Statistics
) -> Iterator[Finding]:
    """Yield what looks wrong with the values of one dataset; all of it warnings.

    Args:
        dataset: What findings call it.
        schema: Its joints.
        statistics: Sums over the episodes that are to be trained on.
    """
    if set(schema.state) == set(schema.action) and schema.state != schema.action:
        yield Finding(
            dataset=dataset,
            what="joints",
            problem="observation.state and action have the same joints in different order",
            fix="see whether the columns were mixed up while recording",
            error=False,
        )
    for feature, joints in ((STATE, schema.state), ("action", schema.action)):
        yield from _still(dataset, feature, joints, statistics)
        yield from _wide(dataset, feature, joints, statistics)
    reach = arm_reach(schema.state, statistics)
    if _is_so_arm(schema.robot) and 0 < reach <= FULL_TURN_RAD:
        yield Finding(
            dataset=dataset,
            what="units",
            problem=f"no joint of the {schema.robot} goes beyond ±{reach:.2f}: radians, or an arm "
            "that hardly moved",
            fix="LeRobot records these arms in degrees or in percent; convert it if it is radians",
            error=False,
        )


def arm_reach(joints: tuple[str, ...], statistics: Statistics) -> float:
    """Return the largest absolute state of the joints that are no gripper; 0 without any."""
    sums = statistics[STATE]
    return max((max(abs(sums.min[i]), abs(sums.max[i])) for i in arm_joints(joints)), default=0.0)


def arm_joints(joints: tuple[str, ...]) -> list[int]:
    """Return the places of the joints that are no gripper: those that turn."""
    return [i for i, name in enumerate(joints) if "gripper" not in name and "jaw" not in name]


def _is_so_arm(robot: str) -> bool:
    return robot.lower().replace("-", "").startswith(("so100", "so101"))


def _still(
    dataset: str, feature: str, joints: tuple[str, ...], statistics: Statistics
) -> Iterator[Finding]:
    sums = statistics[feature]
    still = [n for n, low, high in zip(joints, sums.min, sums.max, strict=True) if low == high]
    if still:
        yield Finding(
            dataset=dataset,
            what="ranges",
            problem=f"{', '.join(still)} of {feature} never changes",
            fix="see whether the motor was read; a joint that is really fixed does no harm",
            error=False,
        )


def _wide(
    dataset: str, feature: str, joints: tuple[str, ...], statistics: Statistics
) -> Iterator[Finding]:
    sums = statistics[feature]
    reaches = [max(abs(low), abs(high)) for low, high in zip(sums.min, sums.max, strict=True)]
    wide = [f"{n} {r:.0f}" for n, r in zip(joints, reaches, strict=True) if r > FULL_TURN_DEG]
    if wide:
        yield Finding(
            dataset=dataset,
            what="ranges",
            problem=f"{feature} goes beyond a full turn of 360 degrees: {', '.join(wide)}",
            fix="these look like raw motor positions; calibrate the arm and record again",
            error=False,
        )
