"""The arms of a comparison: what is trained, on whose data, for how many steps."""

from collections.abc import Sequence

import attrs

from zk0_core.addresses import JOIN
from zk0_core.errors import UsageError
from zk0_core.parts import needed_updates
from zk0_core.plan import ClientPlan, PluginChoice, RunPlan

FEDERATED = "federated"
CENTRALIZED = "centralized"
ALONE = "alone"
ALONE_TOTAL = "alone, total"
WITHOUT = "without"
KINDS = (FEDERATED, CENTRALIZED, ALONE, ALONE_TOTAL, WITHOUT)
"""In the order they are shown: all together; all data in one place; one client with its own share
of the training steps; one client with the federation's total; all but one client."""


@attrs.frozen
class Arm:
    """One training run of a comparison."""

    kind: str
    client: str
    """The client that trains alone, or is left out; empty for arms of all."""
    seed: int
    plan: RunPlan

    @property
    def name(self) -> str:
        """The arm whatever its seed, such as "left alone" or "without left"."""
        if self.kind == WITHOUT:
            return f"{WITHOUT} {self.client}"
        return f"{self.client} {self.kind}" if self.client else self.kind

    @property
    def folder(self) -> str:
        """Where its run goes, below the comparison's folder."""
        return f"seed_{self.seed}/{self.name.replace(', ', '-').replace(' ', '-')}"

    @property
    def steps(self) -> int:
        """Local steps over all rounds and clients."""
        return self.plan.rounds * self.plan.local_steps * len(self.plan.clients)


def arms_of(
    plan: RunPlan, plain: PluginChoice, seeds: Sequence[int], *, leave_one_out: bool = False
) -> list[Arm]:
    """Return the arms that tell whether the federation of `plan` was worth it.

    Args:
        plan: The federated run.
        plain: The strategy that trains without any term of its own, fedavg: for one client it is
            plain training.
        seeds: Each arm is trained once for each.
        leave_one_out: Whether to also federate all clients but one, for each client.

    Raises:
        UsageError: if `plan` has fewer than two clients, samples some of them, or would not try
            every start.
    """
    for evaluation in plan.evaluations:
        if evaluation.evaluator.options.get("interval_width"):
            raise UsageError(
                f"evaluations: {evaluation.evaluator.name} on {evaluation.dataset} stops early by "
                "interval_width, but a comparison pairs every start with every arm; leave it at 0"
            )
    if len(plan.clients) < 2:
        raise UsageError("a comparison needs two clients at least; add another --client")
    if plan.local_epochs is not None:
        raise UsageError(
            f"local_epochs is {plan.local_epochs:g}, but a comparison counts steps; give "
            "--local-steps instead"
        )
    if plan.fraction != 1:
        raise UsageError(
            f"fraction is {plan.fraction}, but a comparison at equal samples needs every client "
            "in every round; leave --fraction out"
        )
    return [arm for seed in seeds for arm in _of_seed(plan, plain, seed, leave_one_out)]


def _of_seed(plan: RunPlan, plain: PluginChoice, seed: int, leave_one_out: bool) -> list[Arm]:
    # What does not change a result is the same in all: one worker each, no charts, no checkpoints.
    common = attrs.evolve(
        plan, seed=seed, workers=1, engine="local", checkpoint_every=0, reporters=()
    )
    # Only the federated arm is also scored at the start, which all have in common.
    federated = attrs.evolve(common, eval_every=plan.rounds)
    rest = attrs.evolve(common, eval_every=0)
    single = attrs.evolve(rest, strategy=plain, mu_schedulers=(), min_updates=1)
    count = len(plan.clients)
    total = attrs.evolve(single, local_steps=plan.local_steps * count)

    arms = [
        Arm(FEDERATED, "", seed, federated),
        Arm(CENTRALIZED, "", seed, attrs.evolve(total, clients=(pooled(plan.clients),))),
    ]
    for client in plan.clients:
        arms.append(Arm(ALONE, client.name, seed, attrs.evolve(single, clients=(client,))))
        arms.append(Arm(ALONE_TOTAL, client.name, seed, attrs.evolve(total, clients=(client,))))
    if leave_one_out:
        if (needed := needed_updates(plan.strategy)) >= count:
            raise UsageError(
                f"--leave-one-out leaves {count - 1} of {count} clients, but strategy "
                f"'{plan.strategy.name}' needs {needed}; leave the flag out, or add clients"
            )
        for client in plan.clients:
            others = tuple(other for other in plan.clients if other != client)
            fewer = attrs.evolve(
                rest, clients=others, min_updates=min(plan.min_updates, len(others))
            )
            arms.append(Arm(WITHOUT, client.name, seed, fewer))
    return arms


def pooled(clients: Sequence[ClientPlan]) -> ClientPlan:
    """Return one client that has the data of all.

    Raises:
        UsageError: if they rename features differently.
    """
    first = clients[0]
    for other in clients[1:]:
        if other.rename != first.rename:
            raise UsageError(
                f"clients {first.name!r} and {other.name!r} rename features differently, so that "
                "their data cannot be pooled; rename in the recordings, or compare runs by hand"
            )
    return ClientPlan("pooled", JOIN.join(c.dataset for c in clients), first.rename)
