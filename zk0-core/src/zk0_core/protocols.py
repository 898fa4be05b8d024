"""The interfaces that plugins implement. Each one is what its kind's `build` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

# For types only: whatever lists plugins imports this module, and must not wait for NumPy.
if TYPE_CHECKING:
    import numpy as np
    import torch

    from zk0_core.data import DatasetSchema, Progress, RobotDataset, Statistics
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan
    from zk0_core.server.model import ModelRef
    from zk0_core.span import Span
    from zk0_core.tensors import Tensors


@attrs.frozen
class Update:
    """One client's accepted update, decoded."""

    client: str
    examples: int
    """How many frames the client trains on: its weight."""
    delta: Mapping[str, np.ndarray]
    """What local training changed: w_local − w_global, by name, float32. Each access may read
    from disk, for a strategy that sees all updates at once. The arrays may be the very bytes that
    came, which cannot be written to."""
    extra: Tensors = attrs.field(factory=dict)
    """What the client half of the strategy sent besides."""
    start_loss: float | None = None
    """The client's loss before training, for a strategy that asks for it."""


class Strategy(Protocol):
    """The server half of a strategy: a streaming reducer, one round at a time.

    Updates arrive in order of client name, so that a result does not depend on who was fast.
    """

    def begin(self, params: Tensors, round: int) -> None:
        """Start round `round` (from 1) at the global parameters `params`."""
        ...

    def add(self, update: Update) -> None:
        """Fold one update in.

        It is not to be kept, unless the strategy's record says `sees_all_updates`.

        Raises:
            WireError: if the update is of no use to this strategy; nothing of it has been folded
                in then, and its client is refused by name.
        """
        ...

    def finish(self) -> Tensors:
        """Return the new global parameters; called once, after at least one `add`.

        It is not called for a round that does not count, so what outlives a round changes here
        and not in `add`.
        """
        ...

    def order(self, client: str) -> Tensors:
        """Return extra tensors to send to `client` this round, usually none.

        Called after `begin`. One object for several clients is packed once.
        """
        ...

    def state(self) -> Tensors:
        """Return what must outlive a round, for checkpoints."""
        ...

    def restore(self, state: Tensors) -> None:
        """Take back what `state` returned."""
        ...


class Objective(Protocol):
    """The client half of a strategy: what it adds to the plain loss during local training."""

    def start(self, params: Mapping[str, torch.nn.Parameter], extra: Tensors) -> None:
        """Remember the round's starting point: `params` hold the global parameters now."""
        ...

    def gradient(self, mu: float) -> torch.Tensor | None:
        """Change the gradients in place, after backward and before clipping.

        Returns:
            The loss term that was added, a 0-dim tensor, or None for no term.
        """
        ...

    def finish(self) -> Tensors:
        """Return extra tensors for the server, usually none."""
        ...

    def state(self) -> Tensors:
        """Return what must outlive a round at this client."""
        ...

    def restore(self, state: Tensors) -> None:
        """Take back what `state` returned."""
        ...


class Schedule(Protocol):
    """A pure function from round and history to a value; the same inputs give the same value."""

    def value(
        self, round: int, base: Span, history: History, client: str | None = None
    ) -> Span | float:
        """Return the value of round `round` (from 1); a float is a constant.

        Args:
            round: The round to come.
            base: What the schedule before this one in the chain gave; the base value at first.
            history: The rounds before `round`.
            client: The client the value is for.
        """
        ...


class DatasetLoader(Protocol):
    """Opens datasets of one URI scheme."""

    def open(self, uri: str, progress: Progress | None = None) -> RobotDataset:
        """Open the dataset at `uri` (its scheme included).

        Raises:
            DataError: if it is missing, damaged, or no dataset; the text says the fix.
        """
        ...

    def prepare(self, uris: Sequence[str], workers: int, progress: Progress | None = None) -> None:
        """Make ready what takes long for several datasets at once; may do nothing."""
        ...


class BatchSource(Protocol):
    """Training examples of one dataset, ready for one policy; N frames."""

    def __len__(self) -> int:
        """Return N."""
        ...

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Return the examples at `indices` (0 … N − 1) as the policy's loss takes them."""
        ...


@runtime_checkable
class CountingSource(BatchSource, Protocol):
    """A source whose policy's loss is no mean over examples: over their action steps, say.

    A batch in parts comes to the whole batch's loss then: each part weighs as much as it counts.
    """

    def counted(self, indices: Sequence[int]) -> int:
        """Return over how many things the loss of the examples at `indices` is a mean."""
        ...


class Policy(Protocol):
    """A policy that is loaded, with its statistics, on one device."""

    module: torch.nn.Module

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that are exchanged, by name."""
        ...

    def frozen_fingerprint(self) -> str:
        """Return the SHA-256 of everything that is not exchanged."""
        ...

    def check(self, schema: DatasetSchema, who: str) -> None:
        """Raise DataError unless `schema`, supplied by `who`, has what the policy takes."""
        ...

    def source(
        self, dataset: RobotDataset, episodes: Sequence[int], progress: Progress | None = None
    ) -> BatchSource:
        """Return the frames of `episodes` of `dataset`, by index, as training examples.

        A run passes `progress`, to be told of what takes long.
        """
        ...

    def loss(self, batch: dict[str, Any], generator: torch.Generator) -> torch.Tensor:
        """Return the mean loss over `batch`; noise is drawn from `generator` only."""
        ...

    def act(
        self,
        pictures: Mapping[str, Any],
        state: Any,
        tasks: Sequence[str],
        generator: torch.Generator,
    ) -> Any:
        """Return the next actions for B robots.

        Args:
            pictures: Camera feature name to (B, height, width, 3) uint8.
            state: (B, S) float32, in the dataset's units.
            tasks: B instructions.
            generator: Where the policy's noise comes from.

        Returns:
            (B, T, A) float32 actions in the dataset's units; T steps are to be executed.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the policy in LeRobot's own format, pre- and post-processor included."""
        ...


class PolicyFamily(Protocol):
    """A kind of policy: what `build` of a policy plugin returns."""

    default_lr: float
    default_batch_size: int

    def load(
        self, schema: DatasetSchema, statistics: Statistics, *, seed: int, device: str
    ) -> Policy:
        """Load the policy for datasets like `schema`; new weights are drawn from `seed`."""
        ...


class Evaluator(Protocol):
    """Scores the global model on one evaluation dataset."""

    def evaluate(self, request: EvaluationRequest) -> dict[str, Any]:
        """Return the figures for this dataset, JSON-able; see the built-ins for usual keys."""
        ...


class TaskPool(Protocol):
    """Runs functions on several processes, results in order of the items."""

    def map(self, function: Any, items: Sequence[Any]) -> list[Any]:
        """Return [function(item) for item in items]; function and items are pickled."""
        ...


@attrs.frozen
class EvaluationRequest:
    """What an evaluator gets to see."""

    plan: RunPlan
    round: int
    dataset: str
    """URI of the evaluation dataset."""
    model: ModelRef
    """The global model; `server.model.load_model` loads it, in the pool's processes too."""
    folder: Path
    """Where pictures and videos of this round may go."""
    pool: TaskPool
    final: bool
    """Whether this is the last evaluation of the run."""
    progress: Progress | None = None
    rename: Mapping[str, str] = attrs.field(factory=dict)
    """Cameras and joints of the dataset to the names that the policy knows them by."""


class Reporter(Protocol):
    """Is told what happens in a run."""

    def start(self, plan: RunPlan, folder: Path) -> None:
        """A run begins; its output goes to `folder`."""
        ...

    def round(self, record: RoundRecord, history: History) -> None:
        """A round is over and recorded; round 0 is the untrained start."""
        ...

    def finish(self, history: History) -> None:
        """The run is over."""
        ...


class Codec(Protocol):
    """Shrinks named tensors for the wire: broadcasts, or updates.

    An update is a difference to the broadcast as the client decoded it.
    """

    def encode(self, tensors: Tensors) -> Tensors:
        """Return arrays of numbers of 8 to 64 bits to send; names may differ from the tensors'."""
        ...

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return float32 tensors with the names and shapes of `like`.

        Raises:
            WireError: if `encoded` does not hold exactly those.
        """
        ...


@runtime_checkable
class StatefulCodec(Codec, Protocol):
    """A codec of updates that remembers: error feedback, a basis that turns slowly.

    The memory lies with the client and is kept by round: `encode` goes on from the round of the
    client's last accepted update, whatever was refused or lost since. `decode` has no memory.
    """

    def state(self) -> Tensors:
        """Return what must outlive a round at this client."""
        ...

    def restore(self, state: Tensors) -> None:
        """Take back what `state` returned; nothing for a fresh start."""
        ...
