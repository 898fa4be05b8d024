"""Older keys to a run file's tables, one after the other; none is lost without a word."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs

from zk0_core.errors import UsageError
from zk0_core.older_projects.keys import (
    DATASETS,
    HELD_OUT,
    SCHEDULERS,
    SWITCHES,
    VALUES,
    WITHOUT,
)
from zk0_core.run_values import RunValues
from zk0_core.server.sampling import count_of_round


@attrs.frozen
class Carried:
    """A setting that is in the run file."""

    key: str
    value: Any
    place: str
    """Where it is there, such as `strategy.mu`."""


@attrs.frozen
class Left:
    """A setting that is not, and why."""

    key: str
    value: Any
    reason: str


class Translation:
    """Takes the older keys one after the other, and keeps account of them."""

    def __init__(self, config: dict[str, Any], origin: str, reporters: set[str]) -> None:
        self.config = config
        self.origin = origin
        self.reporters = reporters
        self.run: dict[str, Any] = {"optimizer_state": "reset"}
        self.descriptions: dict[str, str] = {}
        self.carried: list[Carried] = []
        self.left: list[Left] = []

    def values(self, clients: int) -> None:
        """Translate plain values, policy, strategy and reporters."""
        for key, name in VALUES.items():
            if key in self.config:
                self.run[name] = self._carry(key, name, keep=key == "eta_min")
        quorum = self.config.pop("min-fit-clients", None)
        fraction = self.run.get("fraction", 1)
        # What is no share is refused by name, with all other values, once the run file is whole.
        is_share = isinstance(fraction, int | float) and 0 < fraction <= 1
        asked = count_of_round(clients, fraction if is_share else 1)
        if isinstance(quorum, int) and quorum > asked:
            self._leave("min-fit-clients", quorum, f"a round asks {asked} of {clients} clients")
        elif quorum is not None:
            self.run["min_updates"] = quorum
            self.carried.append(Carried("min-fit-clients", quorum, "min_updates"))
        if "server-device" in self.config:
            self._device(self.config.pop("server-device"))
        self.run["policy"] = {"name": "lerobot", "path": "lerobot/smolvla_base"}
        if "model-name" in self.config:
            self.run["policy"]["path"] = self._carry("model-name", "policy.path")
        self.run["strategy"] = {"name": "fedprox", "mu": 0.01}
        if "proximal_mu" in self.config:
            self.run["strategy"]["mu"] = self._carry("proximal_mu", "strategy.mu")
        if "use-wandb" in self.config:
            self._wandb(self.config.pop("use-wandb"))

    def schedules(self) -> None:
        """Translate the schedulers and their options."""
        kind = self.config.get("scheduler_type", "cosine")
        if kind not in SCHEDULERS:
            raise UsageError(
                f"scheduler_type must be one of {', '.join(SCHEDULERS)}, got {kind!r} "
                f"(from {self.origin})"
            )
        name, options = SCHEDULERS[kind]
        chosen: dict[str, list[tuple[str, dict[str, str]]]] = {
            "schedulers": [(name, options)],
            "mu_schedulers": [],
        }
        if "scheduler_type" in self.config:
            self._carry("scheduler_type", f"schedulers: {name}")
        for switch, (where, scheduler, names) in SWITCHES.items():
            if self.config.get(switch):
                chosen[where].append((scheduler, dict(zip(names, names, strict=True))))
            if switch in self.config:
                on = self.config[switch]
                self._carry(switch, f"{where}: {scheduler}" if on else "as without it")
        check_t_mult(self.config, self.origin)
        for where, schedulers in chosen.items():
            for scheduler, keys in schedulers:
                table: dict[str, Any] = {"name": scheduler}
                for key, option in keys.items():
                    if key in self.config:
                        place = f"{where}.{scheduler}.{option}"
                        table[option] = self._carry(key, place, keep=key == "eta_min")
                self.run.setdefault(where, []).append(table)
        self.config.pop("eta_min", None)
        used = {key for _, keys in SCHEDULERS.values() for key in keys}
        used |= {key for _, _, keys in SWITCHES.values() for key in keys}
        for key in sorted(used & self.config.keys()):
            self._leave(key, self.config.pop(key), "what it belongs to is not in use")

    def datasets(self, datasets: dict[str, Any]) -> None:
        """Translate clients, in order of their ids, and the server's datasets."""
        held_out = {entry.get("name") for entry in datasets.get("server", ())}
        clients = sorted(datasets.pop("clients"), key=lambda entry: entry.get("client_id", 0))
        self.run["clients"] = [
            {"dataset": self._address(entry, "clients", "client_id", held_out)} for entry in clients
        ]
        self.run["evaluations"] = [
            {
                "dataset": self._address(entry, "server", "evaldata_id", held_out),
                "evaluator": "policy-loss",
            }
            for entry in datasets.pop("server", ())
        ]
        for key, value in datasets.items():
            self._leave(f"{DATASETS}.{key}", value, "zk0 has no such setting")

    def rest(self, tool: Mapping[str, Any]) -> None:
        """Account for every key that is left over."""
        for key, value in self.config.items():
            self._leave(key, value, WITHOUT.get(key, "zk0 has no such setting"))
        for key, value in tool.get("zk0", {}).items():
            if key != "datasets":
                self._leave(f"tool.zk0.{key}", value, "zk0 has no such setting")
        if "federations" in tool.get("flwr", {}):
            value = tool["flwr"]["federations"]
            reason = "engine, workers and device of a run file say where clients run"
            self._leave("tool.flwr.federations", value, reason)

    def _carry(self, key: str, place: str, *, keep: bool = False) -> Any:
        value = self.config[key] if keep else self.config.pop(key)
        self.carried.append(Carried(key, value, place))
        return value

    def _leave(self, key: str, value: Any, reason: str) -> None:
        self.left.append(Left(key, value, reason))

    def _device(self, device: Any) -> None:
        wanted = {"gpu": "cuda"}.get(device, device)
        accepts: Any = attrs.fields(RunValues).device.validator
        if not (isinstance(wanted, str) and accepts.test(wanted)):
            self._leave("server-device", device, f"device must be {accepts.text}")
            return
        self.run["device"] = wanted
        self.carried.append(Carried("server-device", device, "device"))

    def _wandb(self, on: Any) -> None:
        if on is True and "wandb" not in self.reporters:
            self._leave("use-wandb", on, "no reporter 'wandb' is installed")
            return
        if on is True:
            names = ("console", "charts", "report", "wandb")
            self.run["reporters"] = [{"name": name} for name in names]
        place = "reporters: wandb" if on is True else "as without it"
        self.carried.append(Carried("use-wandb", on, place))

    def _address(
        self, entry: Mapping[str, Any], where: str, number: str, held_out: set[Any]
    ) -> str:
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            raise UsageError(
                f"{DATASETS}.{where} has an entry without a name: {dict(entry)!r} "
                f"(from {self.origin})"
            )
        scheme = "local" if name.startswith(("/", ".", "~")) else "hf"
        address = f"{scheme}:{quote(name, safe='/@~')}"
        if name in held_out:
            address += f"?eval_episodes={HELD_OUT}"
        self.carried.append(Carried(f"{DATASETS}.{where}.name", name, address))
        for key, value in entry.items():
            if key == "description":
                self.descriptions[address] = str(value)
            elif key not in ("name", number):
                self._leave(f"{DATASETS}.{where}.{key}", value, "zk0 has no such setting")
        return address


def check_t_mult(config: Mapping[str, Any], origin: str) -> None:
    """Raise UsageError for a factor between cycles that is no whole number, as 1.2 used to be."""
    key = "cosine_warm_restarts_T_mult"
    factor = config.get(key, 1)
    if isinstance(factor, float) and not factor.is_integer():
        low = max(1, int(factor))
        meant = f"{low} ({'cycles all alike' if low == 1 else f'each cycle {low} times longer'})"
        raise UsageError(
            f"{key} must be a whole number ≥ 1, got {factor:g}; {meant} or {low + 1} "
            f"(each cycle {low + 1} times longer) was probably meant (from {origin})"
        )
