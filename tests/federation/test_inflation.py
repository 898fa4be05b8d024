"""Replies in pieces: what asks for more memory than it sent, or cannot be put together."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from flwr.supercore.inflatable.inflatable_object import (
    add_header_to_object_body,
    get_all_nested_objects,
    get_object_body,
)
from flwr.superlink.grid import http_grid

from zk0_core.engines._flower_inflation import inflate, inflate_with_care, inflated_size
from zk0_core.errors import WireError
from zk0_core.server.envelope import MOST_INFLATED

VALUES = np.arange(1000, dtype=np.float32)
SENT = Array(VALUES)


@pytest.fixture
def limit() -> Iterator[None]:
    """Three times what is sent is taken."""
    token = MOST_INFLATED.set(12_000)
    yield
    MOST_INFLATED.reset(token)


def pieces(change: Callable[[dict[str, object]], object] = lambda body: body) -> tuple[str, dict]:
    """Return a reply's name and its objects, with the body of its array changed."""
    content = RecordDict({"update": ArrayRecord({"w": SENT}), "header": ConfigRecord({"a": "b"})})
    objects = get_all_nested_objects(content)
    contents = {name: part.deflate() for name, part in objects.items()}
    for name, part in objects.items():
        if isinstance(part, Array):
            body = json.loads(get_object_body(contents[name], Array))
            changed = json.dumps(change(body)).encode()
            contents[name] = add_header_to_object_body(changed, part)
    return content.object_id, contents


@pytest.mark.usefixtures("limit")
def test_an_honest_reply_is_put_together() -> None:
    name, contents = pieces()
    assert len(SENT.data) < inflated_size(contents) < len(SENT.data) + 200
    found = inflate(name, contents)["update"]["w"]
    np.testing.assert_array_equal(found.numpy(), VALUES)


@pytest.mark.usefixtures("limit")
def test_a_piece_that_is_named_over_and_over_is_refused() -> None:
    with pytest.raises(WireError) as refused:
        inflate(*pieces(lambda body: {**body, "arraychunk_ids": [0] * 100_000}))
    assert str(refused.value).endswith(
        "bytes, at most 12000 are taken; see max_update_mb of the run file"
    )


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("body", [[], {}, None, {"arraychunk_ids": [5]}, {"arraychunk_ids": "x"}])
def test_what_is_no_array_is_its_senders_failure(body: object) -> None:
    with pytest.raises(WireError, match=r"^sent what cannot be put together: \w+Error: "):
        inflate(*pieces(lambda _: body))


def test_flowers_grid_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = http_grid.inflate_object_from_contents
    monkeypatch.setattr(http_grid, "inflate_object_from_contents", theirs)
    inflate_with_care()
    assert http_grid.inflate_object_from_contents is inflate
