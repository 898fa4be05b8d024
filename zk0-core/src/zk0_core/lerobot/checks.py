"""What can be wrong with the tables of a LeRobot folder, found without opening a video."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zk0_core.data import Episode
from zk0_core.datacheck.findings import Finding, named

RATE_TOLERANCE = 0.01
"""Share by which the steps between timestamps may differ from 1 / fps."""


def check_widths(
    uri: str, rows: pa.Table, features: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[Finding]:
    """Yield rows of another width than meta/info.json says, for columns of lists."""
    of = rows["episode_index"].to_numpy()
    for column in columns:
        wanted = int(features[column]["shape"][0])
        widths = pc.fill_null(pc.list_value_length(rows[column]), 0).to_numpy()
        bad = np.unique(of[widths != wanted]).tolist()
        if bad:
            found = np.unique(widths[widths != wanted]).tolist()
            yield Finding(
                dataset=uri,
                what="rows",
                episodes=tuple(bad),
                problem=f"{column} has {', '.join(map(str, found))} numbers in {named(bad)}, "
                f"meta/info.json says {wanted}",
                fix="recordings of different arms were mixed; record or export them apart",
            )


def check_places(
    uri: str, episodes: Sequence[Episode], places: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield episodes whose rows are not as many as meta/episodes says."""
    promised = {int(row["episode_index"]): int(row["length"]) for row in places}
    there = {episode.index: episode.stop - episode.start for episode in episodes}
    for index in sorted(promised.keys() | there.keys()):
        if promised.get(index) != there.get(index):
            yield Finding(
                dataset=uri,
                what="rows",
                episodes=(index,),
                problem=f"episode {index} has {there.get(index, 0)} frames in data/ and "
                f"{promised.get(index, 0)} in meta/episodes",
                fix="copy or download the dataset again",
            )


def check_times(
    uri: str, episodes: Sequence[Episode], timestamps: np.ndarray, fps: int
) -> Iterator[Finding]:
    """Yield episodes whose timestamps, (N,) seconds, are not a step of 1 / fps apart."""
    rates: dict[str, list[int]] = {}
    gaps: list[int] = []
    for episode in episodes:
        steps = np.diff(timestamps[episode.start : episode.stop])
        if not len(steps):
            continue
        median = float(np.median(steps))
        if abs(median * fps - 1) > RATE_TOLERANCE:
            rates.setdefault(f"{1 / median:.4g}" if median > 0 else "no", []).append(episode.index)
        elif np.abs(steps * fps - 1).max() > 0.5:
            gaps.append(episode.index)
    for rate, indices in rates.items():
        yield Finding(
            dataset=uri,
            what="fps",
            episodes=tuple(indices),
            problem=f"{named(indices)} was recorded at {rate} fps, meta/info.json says {fps}",
            fix="keep recordings of one rate in one dataset; choose with the option episodes",
        )
    if gaps:
        yield Finding(
            dataset=uri,
            what="fps",
            episodes=tuple(gaps),
            problem=f"frames are missing, or there twice, in {named(gaps)}: timestamps are not "
            f"1/{fps} s apart",
            fix="record again, or choose the others with the option episodes of the address",
        )


def check_tasks(uri: str, unknown: Mapping[int, int]) -> Iterator[Finding]:
    """Yield episodes that name a task which is not there; `unknown` maps episode to task."""
    for index, task in unknown.items():
        yield Finding(
            dataset=uri,
            what="tasks",
            episodes=(index,),
            problem=f"episode {index} names task {task}, which meta/tasks.parquet does not have",
            fix="copy the dataset again",
        )


def check_places_of_videos(
    uri: str, cameras: Collection[str], places: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield cameras of which meta/episodes does not say where their pictures lie."""
    for camera in cameras:
        lacking = [
            int(row["episode_index"])
            for row in places
            if row.get(f"videos/{camera}/file_index") is None
        ]
        if lacking:
            yield Finding(
                dataset=uri,
                what="video",
                episodes=tuple(lacking),
                problem=f"meta/episodes does not say where the pictures of {camera} of "
                f"{named(lacking)} are",
                fix="copy or download the dataset again",
            )
