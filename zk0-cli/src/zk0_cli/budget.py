"""The bytes of a round of a plan that is not run."""

from typing import TYPE_CHECKING

from zk0_cli.output import nothing_logged
from zk0_core.plan import RunPlan

if TYPE_CHECKING:
    from zk0_core.server.budget import RoundBudget


def dry_budget(plan: RunPlan) -> "RoundBudget":
    """Return the bytes of a round, from the first client's schema and the untrained policy.

    Of a simulated client one episode is enough, so that nothing is recorded which takes minutes.

    Raises:
        Zk0Error: if its dataset cannot be opened or the policy not loaded; the text says why.
    """
    from zk0_core.addresses import split_joined, with_option
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import build_policy_family, following, open_dataset
    from zk0_core.server.budget import round_budget

    client = plan.clients[0]
    uri = split_joined(client.dataset)[0]
    if uri.startswith("sim:"):
        uri = with_option(uri, "episodes", "1")
    # What loading says goes to a run's log, and there is none.
    with nothing_logged(), following(plan):
        dataset = open_dataset(uri, client.rename)
        statistics = episode_sums(dataset, dataset.episodes)
        family = build_policy_family(plan.policy)
        # On the CPU, whatever the plan says: nothing is trained.
        policy = family.load(dataset.schema, statistics, seed=plan.seed, device="cpu")
        return round_budget(policy, plan, len(plan.clients))
