"""How a node learns that an answer is sent: by its SuperNode's log, which may be begun anew."""

from pathlib import Path
from typing import Any

from zk0_core.federation.messages import Messages
from zk0_core.federation.processes import Child


def test_replies_are_counted_on_where_the_last_look_ended(tmp_path: Path) -> None:
    log = tmp_path / "supernode.log"
    nobody: Any = None
    messages = Messages(nobody, Child("supernode", [], log), nobody, nobody, lambda: None)
    assert messages._count_sent() == 0
    log.write_text("Sent successfully\nFailed to send\nSent succ")
    assert messages._count_sent() == 2
    with log.open("a") as end:
        end.write("essfully\n")
    assert messages._count_sent() == 3
    assert messages._count_sent() == 3
    # Begun anew: what it told of before still counts.
    log.write_text("Ignoring reply\n")
    assert messages._count_sent() == 4
