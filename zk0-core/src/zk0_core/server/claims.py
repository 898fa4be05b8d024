"""What a client says of its data before training, looked at before anything is made of it.

None of it needs to be true; that it is within reason keeps one client from ending the others' run,
or from filling their logs.
"""

from collections.abc import Iterator

from zk0_core.data import FeatureSums
from zk0_core.errors import WireError
from zk0_core.server.admission import LARGEST
from zk0_core.wire.orders import MOST_TEXT, SchemaReport

MOST_NAMES, MOST_NAME, MOST_TASKS = 1024, 200, 10_000
"""Joints or cameras, characters of their names, and instructions."""

MOST_SIDE, MOST_FPS = 2**14, 10_000
"""Pixels of a picture's side, frames a second."""


def check_claims(report: SchemaReport) -> None:
    """Raise WireError unless a dataset can be as `report` says."""
    for problem in _problems(report):
        raise WireError(f"the schema of client {report.client!r} cannot be: {problem}")


def _problems(report: SchemaReport) -> Iterator[str]:
    schema = report.schema
    joints = {"observation.state": schema.state, "action": schema.action}
    for what, names in (("cameras", tuple(schema.cameras)), *joints.items()):
        if len(names) > MOST_NAMES or any(len(name) > MOST_NAME for name in names):
            yield f"{what} has {len(names)} names, or one of more than {MOST_NAME} characters"
    if max(len(schema.robot), len(schema.format)) > MOST_NAME:
        yield f"the robot or the format has more than {MOST_NAME} characters"
    if len(schema.tasks) > MOST_TASKS or any(len(task) > MOST_TEXT for task in schema.tasks):
        yield f"it has {len(schema.tasks)} tasks, or one of more than {MOST_TEXT} characters"
    if not 1 <= schema.fps <= MOST_FPS:
        yield f"fps is {schema.fps}"
    for name, shape in schema.cameras.items():
        if not all(1 <= side <= MOST_SIDE for side in shape):
            yield f"pictures of {name} are {' × '.join(map(str, shape))}"
    if set(report.statistics) != set(joints):
        yield f"sums must be of {' and '.join(joints)}"
    for feature, sums in report.statistics.items():
        yield from _problems_of_sums(feature, sums, len(joints.get(feature, ())))


def _problems_of_sums(feature: str, sums: FeatureSums, dimensions: int) -> Iterator[str]:
    lists = (sums.mean, sums.m2, sums.min, sums.max)
    if sums.count < 1 or any(len(values) != dimensions for values in lists):
        yield f"sums of {feature} are not over frames of {dimensions} joints"
    if any(not 0 <= value <= LARGEST**2 for value in sums.m2):
        yield f"squares in {feature} add up to what is below 0 or above {LARGEST**2:g}"
    if any(abs(value) > LARGEST for values in (sums.mean, sums.min, sums.max) for value in values):
        yield f"a value of {feature} is beyond {LARGEST:g}"
