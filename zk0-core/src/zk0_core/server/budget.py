"""The bytes of a round before it is run: what the codec makes of the policy's own tensors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.plan import PluginChoice, RunPlan

if TYPE_CHECKING:
    import torch

    from zk0_core.protocols import Policy
    from zk0_core.server.model import ModelRef
    from zk0_core.tensors import Tensors


@attrs.frozen(kw_only=True)
class RoundBudget:
    """What one round takes on the wire, each client training in it."""

    up: int
    """Bytes that one client sends."""
    down: int
    """Bytes that one client is sent."""
    clients: int
    """How many clients a round asks."""
    uplink_mbps: float | None = None
    """Upload speed of one client in Mbit/s; None when it is not known."""

    @property
    def upload_seconds(self) -> float | None:
        """How long one client's update takes to be sent; None when no speed is known."""
        return self.up * 8 / (self.uplink_mbps * 1e6) if self.uplink_mbps else None

    def figures(self) -> dict[str, Any]:
        """Return what JSON is to say of it."""
        return {
            "client_up": self.up,
            "client_down": self.down,
            "clients": self.clients,
            "up": self.up * self.clients,
            "down": self.down * self.clients,
            "uplink_mbps": self.uplink_mbps,
            "upload_seconds": self.upload_seconds,
        }

    def __str__(self) -> str:
        """Return one line for people, with MB of a million bytes."""
        line = (
            f"a round on the wire: {megabytes(self.up)} up and {megabytes(self.down)} down for "
            f"each of {self.clients} clients, {megabytes(self.up * self.clients)} up and "
            f"{megabytes(self.down * self.clients)} down in all"
        )
        if self.upload_seconds is None:
            return line
        return f"{line}; an update takes {self.upload_seconds:.1f} s at {self.uplink_mbps:g} Mbit/s"


def megabytes(count: int) -> str:
    """Return a number of bytes in MB, to a tenth below 100."""
    return f"{count / 1e6:.1f} MB" if count < 1e8 else f"{count / 1e6:.0f} MB"


def round_budget(policy: "Policy", plan: RunPlan, clients: int) -> RoundBudget:
    """Return the bytes of a round of `plan` with so many `clients` there, from the second on.

    An update is taken to encode to as many bytes as the parameters do: of a codec whose bytes
    depend on the values, that is an estimate.
    """
    from zk0_core.parameters import to_numpy
    from zk0_core.parts import build_broadcast_codec, build_codec
    from zk0_core.personal import personal_patterns, split
    from zk0_core.server.sampling import sample_clients

    shared = split(policy.trainable(), personal_patterns(plan.strategy))[0]
    params = to_numpy(shared)
    own_up, own_down = _between_halves(shared, params, plan.strategy)
    return RoundBudget(
        up=_bytes(build_codec(plan.codec).encode(params)) + own_up,
        down=_bytes(build_broadcast_codec(plan.codec).encode(params)) + own_down,
        clients=len(sample_clients([str(n) for n in range(clients)], plan.fraction, plan.seed, 1)),
        uplink_mbps=plan.uplink_mbps,
    )


def planned_budget(model: "ModelRef", plan: RunPlan, clients: int) -> RoundBudget:
    """Return `round_budget`, in a process that has the model or loads it."""
    from zk0_core.server.model import load_model

    return round_budget(load_model(model), plan, clients)


def _between_halves(
    shared: "Mapping[str, torch.nn.Parameter]", params: "Tensors", choice: PluginChoice
) -> tuple[int, int]:
    """Return the bytes up and down that a strategy's two halves send each other besides.

    What goes down may follow from what came up, as with SCAFFOLD: so a round is played in which
    nothing changes.
    """
    import numpy as np
    import torch

    from zk0_core.parts import build_objective, build_strategy, needed_updates
    from zk0_core.protocols import Update

    objective = build_objective(choice)
    if objective is None:
        return 0, 0
    objective.start(shared, {})
    for param in shared.values():
        param.grad = torch.zeros_like(param)
    objective.gradient(0.0)
    for param in shared.values():
        param.grad = None
    extra = objective.finish()
    if not extra:
        return 0, 0
    strategy = build_strategy(choice)
    strategy.begin(params, 1)
    still = {name: np.zeros_like(array) for name, array in params.items()}
    for number in range(needed_updates(choice)):
        strategy.add(Update(f"client-{number}", 1, still, extra, start_loss=1.0))
    strategy.begin(strategy.finish(), 2)
    return _bytes(extra), _bytes(strategy.order("client-0"))


def _bytes(tensors: "Tensors") -> int:
    """Return the bytes of `tensors` as Flower sends them."""
    from zk0_core.wire.serialization import write_files

    # One file at a time: together they would be as large as the model.
    return sum(len(file) for file in write_files(tensors))
