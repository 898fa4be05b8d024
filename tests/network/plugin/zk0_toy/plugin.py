"""Registers the policy and the loader."""

import os
from collections.abc import Iterable

import attrs

from zk0_core import DatasetLoaderPlugin, PolicyPlugin, hookimpl

ZK0_API = 1


@attrs.frozen(kw_only=True)
class ToyOptions:
    """How large the policy is, and how slow."""

    values: int = attrs.field(default=16, metadata={"help": "Values of its one tensor."})
    seconds: float = attrs.field(default=0.0, metadata={"help": "Seconds that a step takes."})
    cache_seconds: float = attrs.field(
        default=0.0, metadata={"help": "Seconds that making its data ready takes."}
    )


@hookimpl
def zk0_policies() -> Iterable[PolicyPlugin]:
    """Yield the policy; what it sends has the version that the environment says."""

    def build(options: ToyOptions) -> object:
        from zk0_toy.policy import ToyFamily

        return ToyFamily(options)

    yield PolicyPlugin(
        name="toy",
        summary="A few values",
        options=ToyOptions,
        build=build,
        client_api=int(os.environ.get("TOY_CLIENT_API", "1")),
    )


@hookimpl
def zk0_dataset_loaders() -> Iterable[DatasetLoaderPlugin]:
    """Yield the loader of `toy:NAME`."""

    def build(options: object) -> object:
        from zk0_toy.loader import ToyLoader

        return ToyLoader()

    yield DatasetLoaderPlugin(name="toy", summary="Waves that begin with the name", build=build)
