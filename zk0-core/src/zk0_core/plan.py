"""The resolved plan of a run: everything that decides its result, with effective values."""

import math
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class PluginChoice:
    """A plugin that the run uses, with its effective options and where it came from."""

    kind: str
    """The kind in the words of `plugins.KINDS`, such as "strategy"."""
    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    distribution: str = ""
    version: str = ""
    client_api: int = 1


@attrs.frozen
class ClientPlan:
    """One client: its name and the dataset it trains on."""

    name: str
    dataset: str
    rename: Mapping[str, str] = attrs.field(factory=dict)
    """Camera or joint in the dataset to the name that the policy knows it by."""
    epsilon: float | None = None
    """What this client may spend of its privacy in all that its ledger counts; None where it sets
    no bound of its own."""
    shown: str = ""
    """What the server is told of the dataset instead of its address; empty for the address."""
    ledger: str = ""
    """File that counts what the client has released: a node's is the same in all runs. Empty for
    one in the run's folder."""

    @property
    def told(self) -> str:
        """What the server is told of the dataset."""
        return self.shown or self.dataset


@attrs.frozen
class EvaluationPlan:
    """One evaluation dataset and the evaluator that scores the model on it."""

    dataset: str
    evaluator: PluginChoice
    rename: Mapping[str, str] = attrs.field(factory=dict)
    """As a client's."""


@attrs.frozen(kw_only=True)
class RunPlan:
    """Everything that decides a run. Equal plans on one kind of processor give equal bytes."""

    rounds: int
    local_steps: int
    """In a round, where `local_epochs` does not say otherwise."""
    batch_size: int
    lr: float
    seed: int
    policy: PluginChoice
    strategy: PluginChoice
    schedulers: tuple[PluginChoice, ...]
    mu_schedulers: tuple[PluginChoice, ...]
    clients: tuple[ClientPlan, ...]
    evaluations: tuple[EvaluationPlan, ...]
    reporters: tuple[PluginChoice, ...]
    codec: PluginChoice
    loaders: tuple[PluginChoice, ...] = ()
    """What opens the datasets, one for each scheme of their addresses."""
    disabled: tuple[str, ...] = ()
    """Plugins that are not loaded: names of entry points or distributions."""
    local_epochs: float | None = None
    """Passes of a client over its own frames in a round; None to take `local_steps` steps."""
    optimizer_state: str = "keep"
    normalization: str = "pooled"
    """Whose statistics a client normalises with: "pooled" of all clients, or "per-client"."""
    fraction: float = 1.0
    min_updates: int = 1
    quarantine_after: int = 3
    max_update_mb: float | None = None
    """Largest reply of a client, in MB; None for what the parameters ask for."""
    eval_every: int = 1
    checkpoint_every: int = 1
    eta_min: float = 5e-7
    lr_max: float = 0.0
    engine: str = "local"
    workers: int = 0
    """Processes for clients and evaluation; 0 is one per core or GPU. Does not change results."""
    threads: int = 1
    """Threads per client; changes bits of results."""
    device: str = "auto"
    amp: bool = False
    """Whether clients compute the loss in bfloat16 where that is safe."""
    gradient_accumulation: int = 1
    """In how many parts a client takes a step's batch, one after the other."""
    name_datasets: bool = False
    """Whether a model card may name clients and their datasets."""
    cache_gb: float | None = None
    """Disk for caches of all datasets together; None for what is free. Which kind of cache a
    dataset gets changes last bits of results."""
    uplink_mbps: float | None = None
    """Upload speed of a client in Mbit/s, to tell times by; None when it is not known."""

    def steps_of(self, frames: int) -> int:
        """Return how many local steps a client with so many frames takes in a round."""
        if self.local_epochs is None:
            return self.local_steps
        return math.ceil(self.local_epochs * frames / self.batch_size)
