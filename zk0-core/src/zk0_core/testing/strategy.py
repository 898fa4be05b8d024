"""What the server half of a strategy must hold.

Updates go through the server's own exchange and admission, on the way they take in a run.
"""

import tracemalloc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.options import options_to_dict, structure_options
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Update
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check, folder

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors
    from zk0_core.testing.loopback import Answer, Combined

FLAT_VALUES = 1 << 18
"""Values of the one tensor with which memory is watched: 1 MiB of float32."""


class StrategyContract(Contract):
    """Checks of `build`, the server half."""

    kind = "strategy"
    clients: ClassVar[int] = 5
    """Clients of a round; more where the strategy needs more."""
    mean_options: ClassVar[Mapping[str, Any]] = {}
    """Options with which the result is the plain mean of the updates, where the defaults' isn't."""

    def extra(self, params: "Tensors") -> "Tensors":
        """Return what the client half sends beside an update: here, after one step from `params`.

        It is the plugin's own client half that sends it; without one, nothing is sent.
        """
        import torch

        half = self.record().build_objective
        if half is None:
            return {}
        objective = half(self.built_options())
        objective.restore({})
        named = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in params.items()}
        objective.start(named, {})
        for param in named.values():
            param.grad = torch.full_like(param, 0.01)
        objective.gradient(0.1)
        sent: Tensors = objective.finish()
        return sent

    def test_new_parameters_fit(self) -> None:
        """New parameters have the names, shapes and dtype of the old ones, and are finite."""
        from zk0_core.tensors import first_not_finite

        old = examples.tensors()
        new = self._round(old, self._answers()).params
        check(sorted(new) == sorted(old), f"finish returns {sorted(new)}, not {sorted(old)}")
        for name in sorted(old):
            check(
                (new[name].shape, new[name].dtype) == (old[name].shape, old[name].dtype),
                f"finish returns {name} as {new[name].dtype} {new[name].shape}, "
                f"not {old[name].dtype} {old[name].shape}",
            )
        check(first_not_finite(new) is None, f"{first_not_finite(new)} has a NaN or an infinity")

    def test_mean_of_equal_updates(self) -> None:
        """The weighted mean of equal updates is that update."""
        import numpy as np

        from zk0_core.testing.loopback import Answer

        old, delta = examples.tensors(), examples.tensors(seed=1, scale=0.1)
        answers = {
            client: Answer(10 * (index + 1), delta, self.extra(old))
            for index, client in enumerate(self._names())
        }
        plain = self._with(self.mean_options)
        new = self._round(old, answers, strategy=self.record().build(plain)).params
        for name in sorted(old):
            moved = np.abs(new[name] - (old[name] + delta[name])).max()
            # Sums of float32 may round; a weight that is wrong is far off.
            check(moved < 1e-5, f"all clients moved {name} alike, but the result is off by {moved}")

    def test_order_of_arrival(self) -> None:
        """The order in which updates arrive does not change a bit."""
        from zk0_core.tensors import fingerprint

        answers = self._answers()
        names = sorted(answers)
        orders: Sequence[Sequence[str]] = (names, names[::-1], [*names[2:], *names[:2]])
        results = [
            fingerprint(self._round(examples.tensors(), answers, arrival=order).params)
            for order in orders
        ]
        check(len(set(results)) == 1, "other orders of arrival give other parameters")

    def test_bad_updates_are_refused(self) -> None:
        """Updates with a NaN, a wrong shape or no weight are refused, and leave no trace."""
        import numpy as np

        from zk0_core.tensors import fingerprint
        from zk0_core.testing.loopback import Answer

        good, old = self._answers(), examples.tensors()
        delta, extra = examples.tensors(seed=9), self.extra(old)
        bad = {
            "a-nan": Answer(5, {**delta, "head.bias": np.full(5, np.nan, np.float32)}, extra),
            "b-shape": Answer(5, {**delta, "head.bias": np.zeros(4, np.float32)}, extra),
            "z-empty": Answer(0, delta, extra),
        }
        mixed = self._round(old, {**good, **bad})
        refused = sorted(refusal.client for refusal in mixed.record.refused)
        check(refused == sorted(bad), f"refused were {refused}, not {sorted(bad)}")
        alone = self._round(old, good)
        check(
            fingerprint(mixed.params) == fingerprint(alone.params),
            "updates that were refused change the result",
        )

    def test_arguments_are_left_alone(self) -> None:
        """Parameters and updates that it is given are not changed in place."""
        from zk0_core.tensors import fingerprint

        params, updates = examples.tensors(), self._updates()
        before = [fingerprint(params), *(fingerprint(update.delta) for update in updates)]
        strategy = self.build()
        strategy.begin(params, 1)
        for update in updates:
            strategy.add(update)
        strategy.finish()
        after = [fingerprint(params), *(fingerprint(update.delta) for update in updates)]
        check(before == after, "begin, add or finish writes into the arrays that it is given")

    def test_state_round_trips(self) -> None:
        """A strategy restored from its state goes on to the bit."""
        from zk0_core.tensors import fingerprint

        answers, start = self._answers(), examples.tensors()
        strategy = self.build()
        params = self._round(start, answers, strategy=strategy).params
        params = self._round(params, answers, strategy=strategy, number=2).params
        state = strategy.state()
        check(
            all(hasattr(array, "dtype") for array in state.values()),
            "state must be named arrays, so that it can be written to a checkpoint",
        )
        kept = {name: array.copy() for name, array in state.items()}
        restored = self.build()
        restored.restore({name: array.copy() for name, array in kept.items()})
        check(fingerprint(restored.state()) == fingerprint(kept), "restore loses some of the state")
        went_on = self._round(params, answers, strategy=strategy, number=3).params
        resumed = self._round(params, answers, strategy=restored, number=3).params
        check(
            fingerprint(went_on) == fingerprint(resumed),
            "after restore the next round gives other parameters than without",
        )

    def test_memory_is_flat(self) -> None:
        """Memory does not grow with the number of clients."""
        import numpy as np

        from zk0_core.server.kept import kept

        strategy, sees_all = self.build(), self.record().sees_all_updates
        params = {"w": np.zeros(FLAT_VALUES, np.float32)}
        self.extra(params)  # whatever that imports is not counted
        strategy.begin(params, 1)
        with folder() as spool:
            tracemalloc.start()
            try:
                used = []
                for index in range(12):
                    delta = {"w": np.full(FLAT_VALUES, 0.001 * index, np.float32)}
                    update = Update(f"{index:02}", 10, delta, self.extra(params), 1.0)
                    # Those that see all updates get them as in a run: from disk, when asked for.
                    strategy.add(kept(update, spool) if sees_all else update)
                    del delta, update
                    used.append(tracemalloc.get_traced_memory()[0])
            finally:
                tracemalloc.stop()
        grown = used[11] - used[3]
        check(
            grown < FLAT_VALUES * 4 / 2,
            f"8 more clients take {grown / 2**20:.1f} MiB more, with updates of 1 MiB",
        )

    def choice(self) -> PluginChoice:
        """Return what a plan says of the strategy."""
        name = self.plugin if isinstance(self.plugin, str) else self.plugin.name
        return PluginChoice("strategy", name, options_to_dict(self.built_options()))

    def _with(self, options: Mapping[str, Any]) -> Any:
        values = {**self.options, **options}
        return structure_options(self.record().options, values, path=self.kind)

    def _names(self) -> Sequence[str]:
        needed = self.record().needed_updates(self.built_options())
        return [f"client-{index:02}" for index in range(max(self.clients, needed))]

    def _answers(self) -> "dict[str, Answer]":
        from zk0_core.testing.loopback import Answer

        return {u.client: Answer(u.examples, dict(u.delta), u.extra) for u in self._updates()}

    def _updates(self) -> list[Update]:
        extra = self.extra(examples.tensors())
        return [
            Update(client, 7 + 3 * index, examples.tensors(index + 1, 0.1), extra, 1.0)
            for index, client in enumerate(self._names())
        ]

    def _round(
        self,
        params: "Tensors",
        answers: "Mapping[str, Answer]",
        *,
        strategy: Any = None,
        arrival: Sequence[str] = (),
        number: int = 1,
    ) -> "Combined":
        from zk0_core.testing.loopback import run_one_round

        return run_one_round(
            strategy or self.build(),
            self.record(),
            params,
            answers,
            choice=self.choice(),
            arrival=arrival,
            number=number,
        )
