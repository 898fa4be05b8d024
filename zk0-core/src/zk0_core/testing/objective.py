"""What the client half of a strategy must hold, in the client's own training loop."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.options import structure_options
from zk0_core.plan import PluginChoice
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors


class ObjectiveContract(Contract):
    """Checks of `build_objective`, the client half."""

    kind = "strategy"
    mu: ClassVar[float] = 0.1
    """Proximal weight to train with where it is not 0."""
    weight_0: ClassVar[Mapping[str, Any]] = {}
    """Options with which the client half adds nothing, besides a `mu` of 0."""

    def build(self) -> Any:
        """Return the client half."""
        return self._build(self.options)

    def test_weight_0_is_plain_training(self) -> None:
        """With weight 0 it trains exactly as the plain loss does."""
        from zk0_core.tensors import fingerprint

        plain = self._train(None, mu=0.0)
        options = {**self.options, **self.weight_0}
        if self.record().uses_mu:
            options["mu"] = 0.0
        added = self._train(self._build(options), mu=0.0)
        check(fingerprint(plain) == fingerprint(added), "with weight 0 it changes the training")

    def test_gradient_changes_gradients_alone(self) -> None:
        """`gradient` changes gradients, not parameters, and returns a finite number or None."""
        import torch

        policy = examples.TinyPolicy()
        params = policy.trainable()
        objective = self.build()
        state, extra = self._after_a_round()
        objective.restore(state)
        objective.start(params, extra)
        with torch.no_grad():
            for param in params.values():
                param.add_(0.25)
        before = {name: param.detach().clone() for name, param in params.items()}
        loss = policy.loss(examples.TinySource().batch([0, 1]), torch.Generator().manual_seed(0))
        loss.backward()
        term = objective.gradient(self.mu)
        for name, param in params.items():
            check(torch.equal(param, before[name]), f"gradient changes the parameter {name}")
            check(torch.isfinite(param.grad).all(), f"the gradient of {name} is not finite")
        if term is not None:
            check(term.ndim == 0, f"the loss term has shape {tuple(term.shape)}, not ()")
            check(torch.isfinite(term), f"the loss term is {float(term)}")

    def test_state_round_trips(self) -> None:
        """A client half restored from its state goes on to the bit."""
        from zk0_core.tensors import fingerprint

        objective = self.build()
        self._train(objective, mu=self.mu)
        state, extra = self._after_a_round()
        after = []
        for half in (objective, self.build()):
            params = self._train(half, mu=self.mu, state=state, extra=extra)
            after.append((fingerprint(params), fingerprint(half.state())))
        check(after[0] == after[1], "after restore the next round goes otherwise than without")

    def test_what_it_sends_is_finite(self) -> None:
        """`finish` returns named arrays without a NaN or an infinity."""
        from zk0_core.tensors import first_not_finite

        objective = self.build()
        self._train(objective, mu=self.mu)
        sent = objective.finish()
        bad = first_not_finite(sent)
        check(bad is None, f"{bad} has a NaN or an infinity; the server will refuse it")

    def _build(self, options: Mapping[str, Any]) -> Any:
        record = self.record()
        check(record.build_objective, "the strategy has no client half")
        return record.build_objective(structure_options(record.options, options, path=self.kind))

    def _extra(self) -> "Tensors":
        """Return what the server half sends to a client in round 1."""
        from zk0_core.parameters import to_numpy

        server = self.record().build(self.built_options())
        server.begin(to_numpy(examples.TinyPolicy().trainable()), 1)
        extra: Tensors = server.order(examples.CLIENTS[0])
        return extra

    def _after_a_round(self) -> "tuple[Tensors, Tensors]":
        """Return a client's state after round 1, and what the server half sends it in round 2.

        Two clients took part, with gradients of different sizes.
        """
        import numpy as np
        import torch

        from zk0_core.parameters import to_numpy
        from zk0_core.protocols import Update

        start = to_numpy(examples.TinyPolicy().trainable())
        still = {name: np.zeros_like(array) for name, array in start.items()}
        server = self.record().build(self.built_options())
        server.begin(start, 1)
        states = []
        for number, client in enumerate(examples.CLIENTS[:2]):
            half, params = self.build(), examples.TinyPolicy().trainable()
            half.restore({})
            half.start(params, {})
            for param in params.values():
                param.grad = torch.full_like(param, 0.1 * (number + 1))
            half.gradient(self.mu)
            server.add(Update(client, 10, still, half.finish(), start_loss=1.0))
            states.append({name: array.copy() for name, array in half.state().items()})
        server.begin(server.finish(), 2)
        return states[0], server.order(examples.CLIENTS[0])

    def _train(
        self,
        objective: Any,
        mu: float,
        state: "Tensors | None" = None,
        extra: "Tensors | None" = None,
    ) -> "Tensors":
        """Return the parameters after a few local steps of AdamW, from the same start each time."""
        import torch

        from zk0_core.client.optimizer import adamw
        from zk0_core.client.trainer import shuffled_batches, train_locally
        from zk0_core.parameters import to_numpy
        from zk0_core.testing.loopback import round_order

        policy: Any = examples.TinyPolicy()
        params = policy.trainable()
        if objective is not None:
            objective.restore({name: array.copy() for name, array in (state or {}).items()})
            objective.start(params, self._extra() if extra is None else extra)
        train_locally(
            policy,
            examples.TinySource(),
            objective,
            adamw(params),
            round_order(PluginChoice("strategy", "contract"), mu=mu),
            shuffled_batches(len(examples.TinySource()), 3, seed=0),
            torch.Generator().manual_seed(0),
        )
        return to_numpy(params)
