"""Between a policy's parameters in torch and the named arrays that travel."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zk0_core.tensors import Tensors

if TYPE_CHECKING:
    import torch


def to_numpy(params: "Mapping[str, torch.nn.Parameter]") -> Tensors:
    """Return copies of `params` as float32 arrays."""
    return {name: param.detach().float().cpu().numpy().copy() for name, param in params.items()}


def set_params(params: "Mapping[str, torch.nn.Parameter]", values: Tensors) -> None:
    """Write `values` into `params`, name by name."""
    import torch

    with torch.no_grad():
        for name, param in params.items():
            param.copy_(torch.tensor(values[name]))  # what came by wire can only be read
