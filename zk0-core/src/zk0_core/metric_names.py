"""A round's figures as flat names and numbers, for services that know nothing else."""

from collections.abc import Mapping
from typing import Any

from zk0_core.history import RoundRecord

_CLIENT = (
    "policy_loss",
    "prox_loss",
    "loss",
    "grad_norm",
    "lr",
    "mu",
    "boost",
    "steps",
    "examples",
    "update_norm",
    "bytes_up",
    "bytes_down",
    "seconds",
)


def named_metrics(record: RoundRecord) -> dict[str, float]:
    """Return the figures of a round by name; those that are not known are left out.

    The server's are `server/policy_loss`, `server/success_rate`, `server/lr` and so on; those of
    one evaluation dataset `server/evaluation/DATASET/FIGURE`; a client's
    `client/NAME/policy_loss` and so on. Names are the same in every round and for every service.
    """
    found: dict[str, Any] = {
        "server/policy_loss": record.policy_loss,
        "server/success_rate": record.success_rate,
        "server/avg_client_loss": record.mean_client("policy_loss"),
        "server/std_client_loss": record.std_client_loss(),
        "server/num_clients": len(record.clients),
        "server/refused": len(record.refused),
        "server/counted": int(record.counted),
        "server/lr": record.lr,
        "server/mu": record.mu,
        "server/bytes_up": record.bytes_up,
        "server/bytes_down": record.bytes_down,
        "server/seconds": record.seconds,
    }
    for figures in record.datasets:
        found |= _of_dataset(figures)
    for client in record.clients:
        found |= {f"client/{client.client}/{key}": getattr(client, key) for key in _CLIENT}
    return {name: value for name, value in found.items() if value is not None}


def _of_dataset(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of an evaluation dataset that are one number."""
    return {
        f"server/evaluation/{figures['name']}/{key}": value
        for key, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
