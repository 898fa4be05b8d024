"""One dataset, looked through: files, rows, values, and pictures where there is time for it."""

import attrs

from zk0_core.data import Progress, RobotDataset, Statistics, training_episodes
from zk0_core.datacheck.findings import Finding, Inspected, UnfitDataset
from zk0_core.datacheck.pictures import finding_of, picture_findings
from zk0_core.datacheck.ranges import range_findings
from zk0_core.datacheck.rows import row_findings
from zk0_core.errors import DataError
from zk0_core.joined import parts_of
from zk0_core.lerobot.stats import episode_sums


@attrs.frozen
class Inspection:
    """What was found in a dataset."""

    findings: tuple[Finding, ...]
    statistics: Statistics | None
    """Sums over its training episodes; None where a value is no number or there is none."""


def inspect(
    dataset: RobotDataset, *, decode: bool = False, progress: Progress | None = None
) -> Inspection:
    """Look through `dataset`.

    Args:
        dataset: One that could be opened.
        decode: Whether to decode every picture, which takes as long as the first round of a run
            does for it.
        progress: Told about decoding.
    """
    found: list[Finding] = []
    for part in parts_of(dataset):
        found += row_findings(part)
        if isinstance(part, Inspected):
            found += part.findings()
        if decode and not any(finding.error for finding in found):
            found += picture_findings(part, progress)
    episodes = training_episodes(dataset)
    if not episodes or any(finding.what == "rows" for finding in found):
        return Inspection(tuple(found), None)
    sums = episode_sums(dataset, episodes)
    found += range_findings(dataset.uri, dataset.schema, sums)
    return Inspection(tuple(found), sums)


def refusal(uri: str, problem: DataError) -> tuple[Finding, ...]:
    """Return why the dataset at `uri` could not be opened."""
    if isinstance(problem, UnfitDataset):
        return problem.findings
    return (finding_of(problem, uri, "format"),)
