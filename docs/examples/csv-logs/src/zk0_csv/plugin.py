"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import DatasetLoaderPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_dataset_loaders() -> Iterable[DatasetLoaderPlugin]:
    """Yield the dataset loaders of this package; the name is the scheme of addresses."""
    from zk0_csv.loader import CsvLoader

    yield DatasetLoaderPlugin(
        name="csv",
        summary="A folder of CSV joint logs with pictures: csv:/data/desk?eval_episodes=5",
        build=lambda options: CsvLoader(),
    )
