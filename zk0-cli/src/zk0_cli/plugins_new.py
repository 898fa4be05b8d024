"""`zk0 plugins new`: a plugin of one's own, from the template."""

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path

import click

from zk0_cli.template import distribution_of, write_plugin
from zk0_core.errors import UsageError
from zk0_core.options import did_you_mean
from zk0_core.plugins import KINDS
from zk0_core.registry import Registry


@click.command(
    short_help="A new plugin from the template.",
    epilog="Example: zk0 plugins new my-strategy --kind strategy,scheduler",
)
@click.argument("name")
@click.option(
    "--kind",
    "kinds",
    default="strategy",
    show_default=True,
    metavar="KIND[,KIND...]",
    help=f"What it brings: {', '.join(KINDS)}.",
)
@click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make.  [default: NAME, here]",
)
def new(name: str, kinds: str, path: Path | None) -> None:
    """A new plugin from the template: a package whose tests pass, ready for git.

    NAME, lower-case with hyphens, is what runs will choose it by; the package is called zk0-NAME.
    """
    folder = path or Path(name)
    asked = _kinds(kinds)
    _check_name(name)
    _check_free(name, asked)
    if folder.exists():
        raise UsageError(f"folder {folder} exists; choose another one with --path")
    write_plugin(name, asked, folder)
    click.echo(
        f"{folder}: {distribution_of(name)} with {' and '.join(asked)} '{name}'; next:\n"
        f"  cd {folder}\n"
        "  pip install -e '.[test]'\n"
        f"  zk0 plugins test {name}\n"
        "  pytest"
    )


def _kinds(text: str) -> Sequence[str]:
    asked = [kind.strip() for kind in text.split(",") if kind.strip()]
    for kind in asked:
        if kind not in KINDS:
            raise UsageError(
                f"--kind: unknown kind '{kind}'; choose from {', '.join(KINDS)}"
                f"{did_you_mean(kind, KINDS)}"
            )
    if not asked:
        raise UsageError(f"--kind names no kind; choose from {', '.join(KINDS)}")
    return list(dict.fromkeys(asked))


def _check_name(name: str) -> None:
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return
    better = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()))
    raise UsageError(
        f"the name {name!r} is not lower-case letters, digits and hyphens"
        + (f"; write {better}" if better else "")
    )


def _check_free(name: str, kinds: Sequence[str]) -> None:
    """Raise UsageError if an installed plugin of one of `kinds`, or a package, has that name."""
    for plugin in Registry.discover().plugins:
        if plugin.name == name and plugin.kind in ("", *kinds):
            what = plugin.kind or "plugin"
            raise UsageError(
                f"{what} '{name}' is there already, from {plugin.source}; choose another name"
            )
    try:
        version = importlib.metadata.version(distribution_of(name))
    except importlib.metadata.PackageNotFoundError:
        return
    raise UsageError(
        f"package {distribution_of(name)} {version} is installed already; choose another name"
    )
