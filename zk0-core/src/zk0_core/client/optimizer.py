"""The clients' optimizer, and its state as named tensors."""

from collections.abc import Mapping

import numpy as np
import torch

from zk0_core.tensors import Tensors

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 1e-10
MOMENTS = ("exp_avg", "exp_avg_sq")


def adamw(params: Mapping[str, torch.nn.Parameter]) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) over `params`; the learning rate comes later."""
    return torch.optim.AdamW(
        params.values(), lr=0.0, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=True
    )


def optimizer_state(
    optimizer: torch.optim.AdamW, params: Mapping[str, torch.nn.Parameter]
) -> Tensors:
    """Return the moments of each parameter, as `exp_avg/NAME`, and the number of steps.

    A parameter that the loss does not depend on has none.
    """
    state: Tensors = {}
    for name, param in params.items():
        if param not in optimizer.state:
            continue
        for moment in MOMENTS:
            # A plugin's policy may be trained in a type that NumPy does not know.
            kept = optimizer.state[param][moment].detach().float()
            state[f"{moment}/{name}"] = kept.cpu().numpy()
        state["step"] = np.asarray([float(optimizer.state[param]["step"])], np.float32)
    return state


def restore_optimizer(
    optimizer: torch.optim.AdamW, params: Mapping[str, torch.nn.Parameter], state: Tensors
) -> None:
    """Take back what `optimizer_state` returned; an empty state starts afresh."""
    optimizer.state.clear()
    for name, param in params.items():
        if f"{MOMENTS[0]}/{name}" not in state:
            continue
        # Fused AdamW wants its step count where the parameter is.
        entry = {"step": torch.tensor(float(state["step"][0]), device=param.device)}
        for moment in MOMENTS:
            entry[moment] = torch.tensor(
                state[f"{moment}/{name}"], dtype=param.dtype, device=param.device
            )
        optimizer.state[param] = entry
