"""Everything private in Flower that zk0 touches; a contract test watches each one."""

import uuid

from flwr.app import Context, Message, RecordDict
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 1
SERVER_NODE = 1


def become_task(node_id: int = SERVER_NODE, run_id: int = RUN_ID) -> None:
    """Give this process the identity without which no `Message` can be made."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = run_id, 1, node_id


def empty_run() -> Run:
    """Return the run that a local Grid belongs to."""
    return Run.create_empty(run_id=RUN_ID)


def stamp(message: Message) -> str:
    """Give `message` an id, as a SuperLink would, and return it."""
    message_id = uuid.uuid4().hex
    message.metadata.__dict__["_message_id"] = message_id
    return message_id


def client_context(node_id: int, partition: int) -> Context:
    """Return the context that a simulated client's app is called with."""
    return Context(
        run_id=RUN_ID,
        node_id=node_id,
        node_config={"partition-id": partition},
        state=RecordDict(),
        run_config={},
    )
