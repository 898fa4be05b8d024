"""The device that policies train on, and which GPU each worker has."""

import itertools
import os
from collections.abc import Iterator

AUTO = "auto"
VISIBLE = "CUDA_VISIBLE_DEVICES"


def chosen_device(device: str) -> str:
    """Return `device`, or of what torch can use here the best for `auto`: cuda, mps, cpu."""
    if device != AUTO:
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def usable(device: str) -> bool:
    """Whether torch can use `device` here."""
    if device in (AUTO, "cpu"):
        return True
    import torch

    if device == "mps":
        return torch.backends.mps.is_available()
    number = int(device.partition(":")[2] or 0)
    return torch.cuda.is_available() and number < torch.cuda.device_count()


def gpus_for(device: str) -> list[str]:
    """Return the names of the GPUs that work on `device` may be spread over: of `cuda`, all."""
    if device != "cuda":
        return []
    import torch

    count = torch.cuda.device_count()
    # CUDA takes the names up to the first that is none.
    named = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return named[:count] or [str(number) for number in range(count)]


def shared_gpus(device: str) -> Iterator[str | None]:
    """Yield without end which GPU the next process of those that share `device` has.

    None where it may see all that this process sees.
    """
    return itertools.cycle(gpus_for(device) or [None])


def see_only(gpu: str | None) -> None:
    """Let this process, which has not used CUDA yet, see one GPU: there it is `cuda`."""
    if gpu is not None:
        os.environ[VISIBLE] = gpu
