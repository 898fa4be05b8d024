"""The tasks of the simulated arm, one a file."""

from zk0_core.sim.task import Task
from zk0_core.sim.tasks import lift, place, push, sort

# Seeds of demonstrations follow from a task's place here: new ones go to the end.
TASKS: dict[str, Task] = {task.name: task for task in (lift.TASK, place.TASK, push.TASK, sort.TASK)}
"""Name to task."""
