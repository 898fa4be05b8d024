"""Replies put together from their pieces: what a node may have the server's process do for it.

A node sends an array as pieces, and a list that says which piece follows which. Flower allows a
piece to be named twice, since parts of an array may be alike; so some kilobytes could ask for
terabytes. And what cannot be put together must be the sender's failure, not the run's end.
"""

import json
from collections.abc import Mapping
from typing import Any

from zk0_core.errors import WireError
from zk0_core.server.envelope import MOST_INFLATED
from zk0_core.wire.packing import one_line


def inflate_with_care() -> None:
    """Have this process's Grid refuse replies that are too large, or nothing, as a WireError."""
    from flwr.superlink.grid import http_grid

    assert "inflate_object_from_contents" in vars(http_grid)
    vars(http_grid)["inflate_object_from_contents"] = inflate


def inflate(object_id: str, contents: dict[str, bytes]) -> Any:
    """Return the object `object_id`, put together from the objects in `contents`, which it empties.

    Raises:
        WireError: if its arrays would be larger than MOST_INFLATED, or it cannot be read.
    """
    from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

    try:
        size = inflated_size(contents)
        if (most := MOST_INFLATED.get()) is not None and size > most:
            raise WireError(
                f"sent pieces for {size} bytes, at most {most} are taken; see max_update_mb of the "
                "run file"
            )
        return inflate_object_from_contents(object_id, contents)
    except WireError:
        raise
    # Flower's parsers raise anything; whatever it is, it is about these bytes.
    except Exception as problem:
        text = one_line(f"{type(problem).__name__}: {problem}", 200)
        raise WireError(f"sent what cannot be put together: {text}") from None


def inflated_size(contents: Mapping[str, bytes]) -> int:
    """Return how many bytes all arrays among the objects `contents` have, put together."""
    from flwr.app import Array
    from flwr.supercore.inflatable.inflatable_object import (
        get_object_body,
        get_object_head_values_from_object_content,
    )

    size = 0
    for content in contents.values():
        kind, children, _ = get_object_head_values_from_object_content(content)
        if kind == Array.__name__:
            pieces = [len(contents[child]) for child in children]
            order = json.loads(get_object_body(content, Array))["arraychunk_ids"]
            size += sum(pieces[number] for number in order)
    return size
