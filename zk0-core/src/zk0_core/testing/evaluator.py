"""What evaluators must hold, on an untrained small policy and a small dataset."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check, folder

if TYPE_CHECKING:
    from zk0_core.protocols import EvaluationRequest
    from zk0_core.server.model import ModelRef

DATASET = "sim:lift?region=left&split=eval&episodes=1"


class InlinePool:
    """Runs functions in this process, but pickles them and their items as other pools do."""

    def map(self, function: Any, items: Sequence[Any]) -> list[Any]:
        """Return [function(item) for item in items]."""
        sent = [pickle.loads(pickle.dumps((function, item))) for item in items]
        return [there(item) for there, item in sent]


class EvaluatorContract(Contract):
    """Checks of an evaluator."""

    kind = "evaluator"
    dataset: ClassVar[str] = DATASET
    """Address of the evaluation dataset."""
    policy: ClassVar[PluginChoice] = PluginChoice(
        "policy", "smolvla-tiny", {"chunk_size": 16, "n_action_steps": 8}
    )
    """The policy that is scored, untrained."""

    def test_figures(self) -> None:
        """It returns figures that JSON can hold, the same for the same model."""
        first, second = self._evaluate(), self._evaluate()
        check(isinstance(first, dict) and first, f"evaluate returns {first!r}, not figures")
        check(all(isinstance(key, str) for key in first), "the names of figures must be texts")
        try:
            texts = [json.dumps(figures, allow_nan=False) for figures in (first, second)]
        except (TypeError, ValueError) as error:
            raise AssertionError(f"JSON cannot hold the figures: {error}") from error
        check(texts[0] == texts[1], f"two evaluations of one model give {texts[0]} and {texts[1]}")

    def test_usual_figures_are_as_usual(self) -> None:
        """`policy_loss` is a number, `success_rate` a share with its interval."""
        figures = self._evaluate()
        if "policy_loss" in figures:
            check(isinstance(figures["policy_loss"], float), "policy_loss is no float")
        if "success_rate" in figures:
            rate = figures["success_rate"]
            check(0 <= rate <= 1, f"success_rate is {rate}, not a share")
            low, high = figures.get("success_interval", (None, None))
            check(low is not None, "success_rate comes without success_interval, [low, high]")
            check(low <= rate <= high, f"success_rate {rate} is not within [{low}, {high}]")

    def test_the_model_is_left_alone(self) -> None:
        """The model that it scores is not changed."""
        from zk0_core.parameters import to_numpy
        from zk0_core.server.model import load_model
        from zk0_core.tensors import fingerprint

        with folder() as place:
            model = self._model(place)
            before = fingerprint(to_numpy(load_model(model).trainable()))
            self.build().evaluate(self._request(model, place))
            after = fingerprint(to_numpy(load_model(model).trainable()))
        check(before == after, "the parameters of the model change")

    def _evaluate(self) -> dict[str, Any]:
        with folder() as place:
            figures: dict[str, Any] = self.build().evaluate(
                self._request(self._model(place), place)
            )
        return figures

    def _model(self, place: Path) -> "ModelRef":
        """Return the untrained policy, its parameters written to a file as in a run."""
        import attrs

        from zk0_core.data import Statistics
        from zk0_core.engines.apps import recipe_of
        from zk0_core.lerobot.stats import episode_sums
        from zk0_core.parameters import to_numpy
        from zk0_core.parts import open_dataset
        from zk0_core.server.model import ModelRef, load_model, write_params

        # Statistics are those of training data; the evaluator may be given a dataset to simulate.
        dataset = open_dataset("sim:lift?region=left&episodes=2")
        statistics: Statistics = episode_sums(dataset, dataset.episodes)
        recipe = recipe_of(examples.plan(policy=self.policy))
        model = ModelRef(recipe, dataset.schema, statistics, params=None)
        path = place / "params.safetensors"
        params_hash = write_params(path, to_numpy(load_model(model).trainable()))
        return attrs.evolve(model, params=path, params_hash=params_hash)

    def _request(self, model: "ModelRef", place: Path) -> "EvaluationRequest":
        from zk0_core.protocols import EvaluationRequest

        name = self.plugin if isinstance(self.plugin, str) else self.plugin.name
        evaluation = EvaluationPlan(self.dataset, PluginChoice("evaluator", name, self.options))
        return EvaluationRequest(
            plan=examples.plan(policy=self.policy, evaluations=(evaluation,)),
            round=1,
            dataset=self.dataset,
            model=model,
            folder=place / "evaluate",
            pool=InlinePool(),
            final=False,
        )
