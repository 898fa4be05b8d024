"""The records that plugins yield: a name, a sentence, an options class and how to build."""

from collections.abc import Callable
from typing import Any

import attrs

from zk0_core.protocols import (
    Codec,
    DatasetLoader,
    Evaluator,
    Objective,
    PolicyFamily,
    Reporter,
    Schedule,
    Strategy,
)
from zk0_core.validators import between_open, ge, gt

ZK0_API = 1
"""Number of the plugin interface. A plugin module states the one it was written for."""


@attrs.frozen
class NoOptions:
    """Options of a plugin that has none."""


@attrs.frozen(kw_only=True)
class StrategyOptions:
    """Options that every strategy has: the rounds carry them out, whatever the strategy is.

    A strategy's own options class is derived from this one.
    """

    personal: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "Tensors that stay with their client, as patterns: 'action_out_proj.*'."},
    )
    norm_clip: float | None = attrs.field(
        default=None,
        validator=gt(0.0),
        metadata={"help": "Norm to which the server scales longer updates; none: no bound."},
    )
    dp_clip: float | None = attrs.field(
        default=None,
        validator=gt(0.0),
        metadata={"help": "Norm to which clients scale longer updates; none: no bound."},
    )
    dp_noise: float = attrs.field(
        default=0.0,
        validator=ge(0.0),
        metadata={"help": "Standard deviation of clients' noise, over dp_clip; 0: no noise."},
    )
    dp_delta: float = attrs.field(
        default=1e-5,
        validator=between_open(0.0, 1.0),
        metadata={"help": "The delta at which clients count their epsilon."},
    )
    dp_epsilon: float | None = attrs.field(
        default=None,
        validator=gt(0.0),
        metadata={"help": "Epsilon at which a client stops taking part; none: no bound."},
    )

    def __attrs_post_init__(self) -> None:
        if self.dp_noise and self.dp_clip is None:
            raise ValueError(f"dp_noise must be 0 without dp_clip, got {self.dp_noise:g}")
        if self.dp_epsilon is not None and not self.dp_noise:
            raise ValueError(f"dp_epsilon must be none without dp_noise, got {self.dp_epsilon:g}")


@attrs.frozen(kw_only=True)
class StrategyPlugin:
    """A federated strategy: how updates are combined, and what clients add to their loss."""

    name: str
    summary: str
    options: type = StrategyOptions
    build: Callable[[Any], Strategy]
    """From options to the server half."""
    build_objective: Callable[[Any], Objective] | None = None
    """From options to the client half; None when clients train on the plain loss."""
    uses_mu: bool = False
    """Whether the strategy has a proximal weight, its option `mu`, that schedules may move."""
    needed_updates: Callable[[Any], int] = lambda options: 1
    """From options to the fewest updates that the strategy can do anything with. A plan whose
    rounds ask fewer clients is refused, and a round with fewer usable updates does not count."""
    sees_all_updates: bool = False
    """Whether the strategy goes over all updates of a round at once: they stay on disk for it."""
    wants_start_loss: bool = False
    """Whether updates must come with the client's loss before training, which takes it time."""
    client_api: int = 1
    """Raised whenever the client half changes in a way that server and client must agree on."""


@attrs.frozen(kw_only=True)
class LrSchedulerPlugin:
    """A learning-rate schedule over rounds."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], Schedule]
    uses_history: bool = False
    """Whether values depend on the rounds before, which a preview cannot know."""


@attrs.frozen(kw_only=True)
class MuSchedulerPlugin:
    """A schedule of the proximal weight over rounds."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], Schedule]
    uses_history: bool = False
    """Whether values depend on the rounds before, which a preview cannot know."""


@attrs.frozen(kw_only=True)
class DatasetLoaderPlugin:
    """A loader of datasets; its name is the URI scheme."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], DatasetLoader]


@attrs.frozen(kw_only=True)
class EvaluatorPlugin:
    """A way to score the global model."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], Evaluator]
    reads_episodes: bool = True
    """Whether it reads recorded episodes, which nobody may have trained on."""


@attrs.frozen(kw_only=True)
class PolicyPlugin:
    """A family of policies that can be trained."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], PolicyFamily]
    client_api: int = 1


@attrs.frozen(kw_only=True)
class ReporterPlugin:
    """Somebody who is told what happens in a run."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], Reporter]


@attrs.frozen(kw_only=True)
class CodecPlugin:
    """An encoding of tensors on the wire."""

    name: str
    summary: str
    options: type = NoOptions
    build: Callable[[Any], Codec]
    """From options to the codec of updates; of broadcasts too, unless the next one is given."""
    build_broadcast: Callable[[Any], Codec] | None = None
    """From options to the codec of broadcasts, which has no memory."""
    client_api: int = 1


PluginRecord = (
    StrategyPlugin
    | LrSchedulerPlugin
    | MuSchedulerPlugin
    | DatasetLoaderPlugin
    | EvaluatorPlugin
    | PolicyPlugin
    | ReporterPlugin
    | CodecPlugin
)
