"""The flags that say how a node takes part, of its start and of its service alike."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from zk0_core.errors import UsageError
from zk0_core.federation.node_options import NodeOptions

_OPTIONS = (
    click.option(
        "--rename",
        metavar="OLD=NEW",
        multiple=True,
        help="A camera or joint of the dataset, and the name that the policy knows it by.",
    ),
    click.option(
        "--device", metavar="DEVICE", help="cpu, cuda, cuda:N or mps.  [default: the best]"
    ),
    click.option("--cpu", is_flag=True, help="The same as --device cpu."),
    click.option(
        "--max-rounds", type=click.IntRange(1), metavar="N", help="Leave after so many rounds."
    ),
    click.option(
        "--max-hours",
        type=click.FloatRange(0, min_open=True),
        metavar="HOURS",
        help="Leave after so many hours, once a round is over.",
    ),
    click.option(
        "--epsilon",
        type=click.FloatRange(0, min_open=True),
        metavar="NUMBER",
        help="Take part until this much of the data's privacy is spent in all runs together, and "
        "in none that adds no noise.",
    ),
    click.option(
        "--name-dataset",
        is_flag=True,
        help="Tell the server's admin the dataset's URI too, beside how many episodes and frames.",
    ),
    click.option(
        "--heartbeat",
        type=click.IntRange(10, 1800),
        metavar="SECONDS",
        default=30,
        show_default=True,
        help="The server misses this node when it has not heard of it for twice as long.",
    ),
)


def node_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the flags that say how a node takes part."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_node_flags(flags: Mapping[str, Any]) -> None:
    """Raise UsageError if `flags`, by parameter, cannot be what a node starts with."""
    if flags["cpu"] and flags["device"] not in (None, "cpu"):
        raise UsageError(f"--cpu and --device {flags['device']} exclude each other; keep one")
    for text in flags["rename"]:
        old, _, new = text.partition("=")
        if not old or not new:
            raise UsageError(f"--rename {text} is not OLD=NEW")


def node_options(dataset: str, retry: bool, flags: Mapping[str, Any]) -> NodeOptions:
    """Return what a node on `dataset` is to do, with its device chosen."""
    return NodeOptions(
        dataset=dataset,
        rename=dict(text.split("=", 1) for text in flags["rename"]),
        device=_device("cpu" if flags["cpu"] else flags["device"]),
        retry=retry,
        max_rounds=flags["max_rounds"] or 0,
        max_hours=flags["max_hours"] or 0.0,
        heartbeat=flags["heartbeat"],
        name_dataset=flags["name_dataset"],
        epsilon=flags["epsilon"],
    )


def as_words(flags: Mapping[str, Any]) -> list[str]:
    """Return `flags` as they are typed; what was not given is left out."""
    words: list[str] = []
    for name, value in sorted(flags.items()):
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [word for each in value for word in (flag, each)]
        elif value not in (None, False):
            words += [flag, str(value)]
    return words


def _device(asked: str | None) -> str:
    """Return the device to train on: the one asked for, or the best there is."""
    from zk0_cli.run import check_device
    from zk0_core.engines.devices import AUTO, chosen_device
    from zk0_core.options import parse_flags
    from zk0_core.run_values import RunValues

    if asked is None:
        return chosen_device(AUTO)
    parse_flags(RunValues, {"device": asked})
    check_device(asked)
    return chosen_device(asked)
