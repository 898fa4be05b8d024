"""Small things to test plugins with: tensors, a history, a plan, a dataset, a policy.

They are made from formulas, so that two calls give the same bytes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.history import ClientRecord, History, Refusal, RoundRecord
from zk0_core.plan import ClientPlan, PluginChoice, RunPlan

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.data import DatasetSchema, Episode
    from zk0_core.tensors import Tensors

CLIENTS = ("ann", "bob", "cem")
JOINTS = ("shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "gripper.pos")
CAMERAS = ("observation.images.top", "observation.images.wrist")
PICTURE = (8, 12)
"""Height and width in pixels."""
LENGTHS = (5, 4, 6)
"""Frames of the dataset's episodes."""


def tensors(seed: int = 0, scale: float = 1.0) -> "Tensors":
    """Return named float32 arrays of several shapes, normally distributed times `scale`."""
    import numpy as np

    random = np.random.default_rng(seed)
    shapes = {"head.bias": (5,), "head.weight": (5, 7), "layer.scale": (1,), "layer.w": (3, 2, 4)}
    return {
        name: (random.standard_normal(shape) * scale).astype(np.float32)
        for name, shape in shapes.items()
    }


def history(rounds: int = 6) -> History:
    """Return `rounds` rounds after the start, with what happens in real ones.

    Losses fall and then rise, every second round is not evaluated, one update is refused and one
    round does not count.
    """
    records = [RoundRecord(round=0, policy_loss=1.0, success_rate=0.0, params_hash="0")]
    for round in range(1, rounds + 1):
        loss = 1 / round if round < 4 else 0.3 + 0.01 * round
        counted = round != 3
        records.append(
            RoundRecord(
                round=round,
                policy_loss=loss if round % 2 == 0 else None,
                success_rate=0.1 * (round % 4) if round % 2 == 0 else None,
                datasets=_figures(loss, 0.1 * (round % 4)) if round % 2 == 0 else (),
                clients=tuple(_client(client, round, loss) for client in CLIENTS[:2]),
                refused=(Refusal(CLIENTS[2], "NaN or infinity in head.bias"),) * (round == 2),
                counted=counted,
                lr=1e-3,
                mu=0.01,
                params_hash=str(round if counted else round - 1),
                bytes_up=2000,
                bytes_down=2000,
                seconds=1.5,
            )
        )
    return History(tuple(records))


def _figures(loss: float, rate: float) -> tuple[dict[str, Any], ...]:
    interval = [max(0.0, rate - 0.1), min(1.0, rate + 0.1)]
    return (
        {
            "name": "sim:lift?region=left",
            "policy_loss": loss,
            "success_rate": rate,
            "success_interval": interval,
        },
    )


def _client(client: str, round: int, loss: float) -> ClientRecord:
    return ClientRecord(
        client=client,
        dataset=f"sim:lift?region={client}",
        policy_loss=loss,
        prox_loss=0.01,
        loss=loss + 0.01,
        grad_norm=2.0,
        lr=1e-3,
        lr_span=(1e-3, 1e-3, 0.0, 0.0),
        mu=0.01,
        steps=4,
        examples=100,
        update_norm=0.5,
        bytes_up=1000,
        bytes_down=1000,
        seconds=1.0,
        seconds_data=0.25,
        seconds_compute=0.75,
    )


def plan(**changes: Any) -> RunPlan:
    """Return a plan of small numbers, with `changes` to its fields."""
    fields: dict[str, Any] = {
        "rounds": 6,
        "local_steps": 4,
        "batch_size": 3,
        "lr": 1e-3,
        "seed": 0,
        "policy": PluginChoice("policy", "smolvla-tiny"),
        "strategy": PluginChoice("strategy", "fedprox", {"mu": 0.01}),
        "schedulers": (),
        "mu_schedulers": (),
        "clients": tuple(ClientPlan(name, f"sim:lift?region={name}") for name in CLIENTS[:2]),
        "evaluations": (),
        "reporters": (),
        "codec": PluginChoice("codec", "float32"),
        "device": "cpu",
    }
    return RunPlan(**{**fields, **changes})


@attrs.define
class TinyDataset:
    """Three episodes of two cameras and four joints, in memory; a `data.RobotDataset`."""

    uri: str
    schema: "DatasetSchema"
    fingerprint: str
    episodes: "Sequence[Episode]"
    held_out: int
    state: "np.ndarray" = attrs.field(eq=False)  # (N, 4) float32, degrees
    action: "np.ndarray" = attrs.field(eq=False)  # (N, 4) float32, degrees

    def frames(self, camera: str) -> "Iterator[np.ndarray]":
        """Yield N pictures of `camera`: (8, 12, 3) uint8, brighter with each frame."""
        import numpy as np

        offset = 40 * list(self.schema.cameras).index(camera)
        for frame in range(len(self.state)):
            yield np.full((*PICTURE, 3), (offset + 7 * frame) % 256, np.uint8)


def dataset(held_out: int = 1) -> TinyDataset:
    """Return the tiny dataset, whose last `held_out` episodes are for evaluation."""
    import numpy as np

    from zk0_core.data import DatasetSchema, Episode

    frames = sum(LENGTHS)
    time = np.arange(frames, dtype=np.float32)[:, None]  # (N, 1)
    state = np.sin(time / 3 + np.arange(len(JOINTS), dtype=np.float32)) * 30
    episodes, start = [], 0
    for index, length in enumerate(LENGTHS):
        content = state[start : start + length].tobytes()
        episodes.append(
            Episode(
                index=index,
                start=start,
                stop=start + length,
                task="Pick up the cube",
                hash=hashlib.sha256(content).hexdigest(),
            )
        )
        start += length
    schema = DatasetSchema(
        cameras={camera: (*PICTURE, 3) for camera in CAMERAS},
        state=JOINTS,
        action=JOINTS,
        fps=10,
        tasks=("Pick up the cube",),
        robot="tiny",
        format="in memory",
    )
    return TinyDataset(
        uri="tiny:",
        schema=schema,
        fingerprint=hashlib.sha256(state.tobytes()).hexdigest(),
        episodes=tuple(episodes),
        held_out=held_out,
        state=state,
        action=state + np.float32(1),
    )


class TinyPolicy:
    """A linear policy with a squared loss, for the training loop; y ≈ x · w + b."""

    def __init__(self) -> None:
        import torch

        self.module = torch.nn.Linear(3, 2)
        with torch.no_grad():
            for param in self.module.parameters():
                param.copy_(torch.linspace(-0.5, 0.5, param.numel()).reshape(param.shape))

    def trainable(self) -> dict[str, Any]:
        """Return weight and bias."""
        return dict(self.module.named_parameters())

    def loss(self, batch: dict[str, Any], generator: Any) -> Any:
        """Return the mean squared error, with noise of 0.01 on x from `generator`."""
        import torch

        noise = torch.randn(batch["x"].shape, generator=generator) * 0.01
        return (self.module(batch["x"] + noise) - batch["y"]).square().mean()


class TinySource:
    """Twelve training examples for `TinyPolicy`; a `BatchSource`."""

    def __len__(self) -> int:
        return 12

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Return x, (B, 3), and y, (B, 2), of the examples at `indices`."""
        import torch

        at = torch.tensor(list(indices), dtype=torch.float32)
        x = torch.stack([torch.sin(at), torch.cos(at), at / 12], dim=1)
        return {"x": x, "y": torch.stack([x.sum(dim=1), at / 6], dim=1)}
