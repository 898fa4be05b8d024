"""What policy families must hold, on a small dataset of the simulator."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.errors import DataError
from zk0_core.testing.contract import Contract, check, folder

if TYPE_CHECKING:
    from zk0_core.data import RobotDataset
    from zk0_core.protocols import Policy

DATASET = "sim:lift?region=left&episodes=2"


class PolicyContract(Contract):
    """Checks of a policy family. They load the policy several times."""

    kind = "policy"
    dataset: ClassVar[str] = DATASET
    """Address of a dataset that the policy takes."""

    def test_defaults_are_usable(self) -> None:
        """The family says which learning rate and batch size suit it."""
        family = self.build()
        check(family.default_lr > 0, f"default_lr is {family.default_lr}")
        check(family.default_batch_size >= 1, f"default_batch_size is {family.default_batch_size}")

    def test_one_seed_gives_one_policy(self) -> None:
        """The same seed gives the same weights, frozen ones included."""
        from zk0_core.parameters import to_numpy
        from zk0_core.tensors import fingerprint

        first, second = self._load(), self._load()
        params = [to_numpy(policy.trainable()) for policy in (first, second)]
        check(params[0], "no parameter is trainable")
        check(fingerprint(params[0]) == fingerprint(params[1]), "two loads have other weights")
        hashes = [policy.frozen_fingerprint() for policy in (first, second)]
        check(hashes[0] == hashes[1], "two loads have another fingerprint of frozen weights")
        check(len(hashes[0]) == 64, f"the fingerprint is no SHA-256 in hex: {hashes[0]!r}")

    def test_trainable_parameters_belong_to_the_module(self) -> None:
        """What is exchanged are parameters of the module that want gradients."""
        policy = self._load()
        inside = {id(param) for param in policy.module.parameters()}
        for name, param in policy.trainable().items():
            check(id(param) in inside, f"{name} is no parameter of the module")
            check(param.requires_grad, f"{name} wants no gradient")

    def test_loss_follows_its_generator(self) -> None:
        """The loss is finite, comes from its generator alone, and gives finite gradients."""
        import torch

        policy, dataset = self._load(), self._dataset()
        # A run passes what shows progress.
        source = policy.source(dataset, [dataset.episodes[0].index], lambda what, done, total: None)
        frames = dataset.episodes[0].stop - dataset.episodes[0].start
        check(len(source) == frames, f"the source has {len(source)} examples of {frames} frames")
        policy.module.eval()
        indices = [0, min(1, len(source) - 1)]

        def loss(seed: int) -> Any:
            return policy.loss(source.batch(indices), torch.Generator().manual_seed(seed))

        value = loss(1)
        check(value.ndim == 0, f"the loss has shape {tuple(value.shape)}, not ()")
        check(torch.isfinite(value), f"the loss is {float(value.detach())}")
        check(torch.equal(value, loss(1)), "one seed of the generator gives two losses")
        value.backward()
        gradients = [p.grad for p in policy.trainable().values() if p.grad is not None]
        check(gradients, "no trainable parameter gets a gradient from the loss")
        for gradient in gradients:
            check(torch.isfinite(gradient).all(), "a gradient is not finite")

    def test_actions(self) -> None:
        """`act` gives finite float32 actions for each robot, the same from one seed."""
        import numpy as np
        import torch

        policy, dataset = self._load(), self._dataset()
        robots = 2
        pictures = {
            camera: np.stack([next(iter(dataset.frames(camera)))] * robots)
            for camera in dataset.schema.cameras
        }
        task = dataset.episodes[0].task
        policy.module.eval()

        def act() -> Any:
            with torch.no_grad():
                return policy.act(
                    pictures,
                    np.stack([dataset.state[0]] * robots),
                    [task] * robots,
                    torch.Generator().manual_seed(3),
                )

        actions = act()
        joints = len(dataset.schema.action)
        check(
            actions.ndim == 3 and (actions.shape[0], actions.shape[2]) == (robots, joints),
            f"actions have shape {actions.shape}, not ({robots}, T, {joints})",
        )
        check(actions.dtype == np.float32, f"actions are {actions.dtype}, not float32")
        check(np.isfinite(actions).all(), "an action is not finite")
        check(np.array_equal(actions, act()), "one seed of the generator gives other actions")

    def test_misfits_are_refused(self) -> None:
        """`check` takes the dataset it was made for, and names who supplied one that won't do."""
        import attrs

        policy, schema = self._load(), self._dataset().schema
        policy.check(schema, "client 'ann'")
        misfits = {
            "cameras": attrs.evolve(schema, cameras={}),
            "joints of state": attrs.evolve(schema, state=schema.state[:-1]),
            "joints of action": attrs.evolve(schema, action=schema.action[:-1]),
        }
        for what, misfit in misfits.items():
            text = _refusal(policy.check, misfit)
            check(text, f"check takes a dataset that lacks {what}; raise DataError")
            check("ann" in text, f"the error does not say whose dataset it is: {text}")

    def test_it_is_saved(self) -> None:
        """`save` writes the policy in LeRobot's format, pre- and post-processor included."""
        policy = self._load()
        with folder() as place:
            policy.save(place / "model")
            written = {path.name for path in (place / "model").iterdir()}
        wanted = {
            "config.json",
            "model.safetensors",
            "policy_preprocessor.json",
            "policy_postprocessor.json",
        }
        check(wanted <= written, f"save writes no {', '.join(sorted(wanted - written))}")

    def _dataset(self) -> "RobotDataset":
        from zk0_core.parts import open_dataset

        return open_dataset(self.dataset)

    def _load(self) -> "Policy":
        from zk0_core.lerobot.stats import episode_sums

        dataset = self._dataset()
        statistics = episode_sums(dataset, dataset.episodes)
        policy: Policy = self.build().load(dataset.schema, statistics, seed=3, device="cpu")
        return policy


def _refusal(test: Callable[..., None], schema: Any) -> str:
    """Return the text of the DataError that `test` raises for client ann; empty for none."""
    try:
        test(schema, "client 'ann'")
    except DataError as error:
        return str(error)
    return ""
