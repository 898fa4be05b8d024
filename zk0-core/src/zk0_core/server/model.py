"""The global model in the processes that evaluate and save it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import cattrs
from loguru import logger

from zk0_core.cache import limit_caches
from zk0_core.data import DatasetSchema, Statistics, evaluation_episodes
from zk0_core.datacheck.findings import require_fit
from zk0_core.datacheck.inspection import inspect
from zk0_core.datacheck.names import UnfitNames
from zk0_core.errors import DataError
from zk0_core.files import whole_file, write_json
from zk0_core.parameters import set_params, to_numpy
from zk0_core.parts import build_policy_family, open_dataset
from zk0_core.plan import EvaluationPlan
from zk0_core.protocols import Policy
from zk0_core.server.output import FACTS
from zk0_core.tensors import Tensors, fingerprint
from zk0_core.wire.orders import Recipe, SchemaReport

_converter = cattrs.Converter()
_converter.register_unstructure_hook(Path, str)


@attrs.frozen
class ModelRef:
    """A model by reference: small to send, loaded where it is needed."""

    recipe: Recipe
    schema: DatasetSchema
    statistics: Statistics
    params: Path | None
    """File of the exchanged parameters; None for those that the policy comes with."""
    params_hash: str = ""


@attrs.frozen
class Start:
    """The starting point of a run, as the first process to load the policy found it."""

    params: Tensors
    frozen: str
    unfit: Mapping[str, str]
    """Clients whose data lack what the policy takes, and what that is."""


_loaded: dict[str, tuple[ModelRef, Policy]] = {}


def load_model(ref: ModelRef) -> Policy:
    """Return the policy of `ref`; a process keeps the last one and only swaps parameters."""
    from safetensors.numpy import load_file

    limit_caches(ref.recipe.cache_bytes)
    kept = _loaded.get("policy")
    if kept is None or attrs.evolve(kept[0], params=None, params_hash="") != attrs.evolve(
        ref, params=None, params_hash=""
    ):
        family = build_policy_family(ref.recipe.policy)
        policy = family.load(
            ref.schema, ref.statistics, seed=ref.recipe.seed, device=ref.recipe.device
        )
        kept = attrs.evolve(ref, params_hash=""), policy
    if ref.params is not None and kept[0].params_hash != ref.params_hash:
        set_params(kept[1].trainable(), load_file(ref.params))
    _loaded["policy"] = ref, kept[1]
    kept[1].module.eval()
    return kept[1]


def write_params(path: Path, params: Tensors) -> str:
    """Write `params` to `path` and return their fingerprint."""
    from safetensors.numpy import save_file

    with whole_file(path) as temporary:
        save_file(params, temporary)
    return fingerprint(params)


def start_model(ref: ModelRef, reports: Sequence[SchemaReport], nodes: bool) -> Start:
    """Return the untrained parameters, and which clients' data don't fit the policy.

    Args:
        ref: The model.
        reports: What clients said of their data.
        nodes: Whether they are a federation's, whose operators mend their own.
    """
    policy = load_model(ref)
    unfit: dict[str, str] = {}
    for report in reports:
        try:
            policy.check(report.schema, f"client {report.client!r} ({report.dataset})")
        except UnfitNames as problem:
            unfit[report.client] = problem.said(node=nodes)
        except DataError as problem:
            unfit[report.client] = str(problem)
    return Start(to_numpy(policy.trainable()), policy.frozen_fingerprint(), unfit)


def save_model(ref: ModelRef, folder: Path) -> None:
    """Write the model in LeRobot's own format to `folder`."""
    load_model(ref).save(folder)
    write_facts(ref, folder)


def write_facts(ref: ModelRef, folder: Path) -> None:
    """Write what is known of a model beside its weights to `folder`."""
    facts = _converter.unstructure(attrs.evolve(ref, params=None, params_hash=""))
    write_json(folder / FACTS, facts)


def read_facts(folder: Path) -> ModelRef:
    """Return what `write_facts` wrote of the model in `folder`."""
    return _converter.structure(json.loads((folder / FACTS).read_text()), ModelRef)


def overlaps(
    evaluations: Sequence[EvaluationPlan], reports: Sequence[SchemaReport]
) -> dict[str, str]:
    """Return which clients train on an episode to evaluate on, and on which.

    Datasets to evaluate on are looked through as well, as clients do it with theirs.

    Args:
        evaluations: Those whose recorded episodes are read.
        reports: What the clients said of their training episodes.

    Raises:
        DataError: if there is nothing to evaluate on, or it cannot be read.
    """
    trained = [(episode.hash, report.client) for report in reports for episode in report.episodes]
    found: dict[str, str] = {}
    for evaluation in evaluations:
        uri = evaluation.dataset
        dataset = open_dataset(uri, evaluation.rename)
        require_fit(inspect(dataset).findings, logger.warning)
        held_out = {episode.hash: episode.index for episode in evaluation_episodes(dataset)}
        if not held_out:
            raise DataError(
                f"evaluation dataset {uri} holds out no episode; add ?eval_episodes=5, "
                "or split=eval for simulated ones"
            )
        for hash, client in trained:
            if hash in held_out and client not in found:
                found[client] = (
                    f"evaluation dataset {uri}: episode {held_out[hash]} is also trained on by "
                    f"client {client!r}; hold it out there with ?eval_episodes"
                )
    return found
