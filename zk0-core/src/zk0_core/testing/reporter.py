"""What reporters must hold."""

from typing import Any

from zk0_core.history import History
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check, folder


class ReporterContract(Contract):
    """Checks of a reporter: none of what happens in real runs makes it fail."""

    kind = "reporter"

    def test_a_whole_run(self) -> None:
        """It takes a run with refusals, a round that doesn't count, and gaps in the evaluation."""
        self._report(examples.history())

    def test_a_run_that_ends_at_once(self) -> None:
        """It takes a run of which only the untrained start is known."""
        self._report(History(examples.history().rounds[:1]))

    def test_a_run_that_is_never_evaluated(self) -> None:
        """It takes a run without evaluation datasets."""
        import attrs

        bare = (
            attrs.evolve(record, policy_loss=None, success_rate=None, datasets=())
            for record in examples.history().rounds
        )
        self._report(History(tuple(bare)))

    def test_two_runs(self) -> None:
        """One reporter can be told of one run after the other."""
        reporter = self.build()
        for _ in range(2):
            self._report(examples.history(2), reporter)

    def test_the_history_is_left_alone(self) -> None:
        """The history that it is shown is not changed."""
        history, before = examples.history(), examples.history()
        self._report(history)
        check(history == before, "it changes the history")

    def _report(self, history: History, reporter: Any = None) -> None:
        built = reporter or self.build()
        with folder() as output:
            built.start(examples.plan(rounds=len(history.rounds) - 1), output)
            for count, record in enumerate(history.rounds, start=1):
                built.round(record, History(history.rounds[:count]))
            built.finish(history)
