"""Datasets checked by address, each for itself and all against each other."""

from collections.abc import Mapping, Sequence

import attrs

from zk0_core.addresses import split_joined
from zk0_core.data import DatasetSchema, Progress, RobotDataset
from zk0_core.datacheck.differences import Side, differences, reference, rename_map
from zk0_core.datacheck.findings import Finding
from zk0_core.datacheck.inspection import inspect, refusal
from zk0_core.errors import DataError
from zk0_core.parts import loader_for, open_dataset


@attrs.frozen
class CheckedDataset:
    """One dataset that could be opened."""

    uri: str
    schema: DatasetSchema
    episodes: int
    held_out: int
    frames: int
    """Frames of its episodes."""


@attrs.frozen
class CheckReport:
    """What a check of several datasets found."""

    datasets: tuple[CheckedDataset, ...]
    findings: tuple[Finding, ...]
    renames: Mapping[str, Mapping[str, str]]
    """Address of a dataset to the names that would make it like most of the others."""

    @property
    def ok(self) -> bool:
        """Whether all can be trained on together."""
        return not any(finding.error for finding in self.findings)


def check_datasets(
    uris: Sequence[str], *, decode: bool, progress: Progress | None = None
) -> CheckReport:
    """Check the datasets at `uris`, at least one.

    Args:
        uris: Addresses, as clients have them.
        decode: Whether to decode all pictures.
        progress: Told about long work.

    Raises:
        UsageError: if an address is none, or no loader knows its scheme.
    """
    for uri in uris:
        for part in split_joined(uri):
            loader_for(part)
    datasets: list[CheckedDataset] = []
    findings: list[Finding] = []
    sides: list[Side] = []
    for uri in dict.fromkeys(uris):
        try:
            dataset = open_dataset(uri, progress=progress)
        except DataError as problem:
            findings += refusal(uri, problem)
            continue
        datasets.append(_checked(uri, dataset))
        inspection = inspect(dataset, decode=decode, progress=progress)
        findings += inspection.findings
        if inspection.statistics is not None:
            sides.append(Side(uri, dataset.schema, inspection.statistics))
    renames: dict[str, Mapping[str, str]] = {}
    if len(sides) > 1:
        findings += differences(sides, cameras=True)
        ours = reference(sides)
        for side in sides:
            if rename := rename_map(ours.schema, side.schema):
                renames[side.name] = rename
    return CheckReport(tuple(datasets), tuple(findings), renames)


def _checked(uri: str, dataset: RobotDataset) -> CheckedDataset:
    return CheckedDataset(
        uri=uri,
        schema=dataset.schema,
        episodes=len(dataset.episodes),
        held_out=dataset.held_out,
        frames=sum(episode.stop - episode.start for episode in dataset.episodes),
    )
