"""Which evaluations are filmed, and where their videos go."""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.validators import ge

if TYPE_CHECKING:
    from zk0_core.protocols import EvaluationRequest


@attrs.frozen(kw_only=True)
class VideoOptions:
    """Options of an evaluator that makes videos."""

    videos: int = attrs.field(
        default=2,
        validator=ge(0),
        metadata={"help": "Videos in an evaluation, of the same starts each time; 0 is none."},
    )
    video_every: int = attrs.field(
        default=1,
        validator=ge(0),
        metadata={
            "help": "Make them at the start, after every so many rounds and at the end; 0: at the "
            "end only."
        },
    )


def videos_of(options: VideoOptions, request: "EvaluationRequest") -> int:
    """Return how many videos this evaluation makes."""
    every = options.video_every
    due = request.final or (every > 0 and request.round % every == 0)
    return options.videos if due else 0


def video_folder(request: "EvaluationRequest", evaluator: str) -> Path:
    """Return where the files of `evaluator` go in this round, for each dataset another folder.

    It is the same in every round, since the same start is found by its path.
    """
    datasets = [e.dataset for e in request.plan.evaluations if e.evaluator.name == evaluator]
    same = [d for d in dict.fromkeys(datasets) if folder_name(d) == folder_name(request.dataset)]
    number = same.index(request.dataset) + 1
    name = folder_name(request.dataset)
    return request.folder / (name if number == 1 else f"{name}-{number}")


def folder_name(dataset: str) -> str:
    """Return what a dataset's folder is called: `lift-all` for `sim:lift?region=all`."""
    import re

    from zk0_core.addresses import Address, split_joined

    first, *more = split_joined(dataset)
    address = Address.parse(first)
    place = address.place.partition("@")[0].rstrip("/").rsplit("/", 1)[-1]
    words = [place, address.options.get("region", ""), f"and-{len(more)}-more" if more else ""]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(filter(None, words))).strip("-._") or "dataset"
