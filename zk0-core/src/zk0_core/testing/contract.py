"""What all contracts share: which plugin is tested, with which options, and what is excepted.

A contract is a plain class whose methods `test_…` are its checks, so that pytest runs a subclass
as it is, and `zk0 plugins test` runs it where there is no pytest. The first line of a check's
docstring is what the plugin must hold.
"""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from zk0_core.options import describe, structure_options
from zk0_core.records import PluginRecord

HEAVY = ("flwr", "lerobot", "matplotlib", "mujoco", "numpy", "torch", "transformers", "wandb")
"""What finding a plugin must not import: `zk0 plugins list` waits for it."""


def check(holds: object, text: str) -> None:
    """Raise AssertionError with `text` unless `holds`; unlike `assert`, under `python -O` too."""
    if not holds:
        raise AssertionError(text)


class Contract:
    """The checks that every kind of plugin has in common."""

    kind: ClassVar[str] = ""
    """Key of `plugins.KINDS`."""
    plugin: ClassVar[str | PluginRecord] = ""
    """The plugin's name, as installed; or its record, to test it without installing it."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Options to test it with; those left out have their defaults."""
    exceptions: ClassVar[Mapping[str, str]] = {}
    """Name of a check that does not apply to this plugin, to the reason why, in a sentence."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Replace the excepted checks by ones that are skipped with the written reason."""
        super().__init_subclass__(**arguments)
        for name, reason in cls.exceptions.items():
            found = getattr(cls, name, None)
            if not name.startswith("test_") or found is None:
                raise TypeError(
                    f"{cls.__name__}.exceptions names {name!r}, which is none of its checks; "
                    f"choose from {', '.join(check_names(cls))}"
                )
            if not reason.strip():
                raise TypeError(f"{cls.__name__}.exceptions[{name!r}] gives no reason; write one")
            setattr(cls, name, _excepted(found, reason))

    def record(self) -> Any:
        """Return the plugin's record.

        Raises:
            PluginError: if no plugin of that kind and name is installed and usable.
        """
        if not isinstance(self.plugin, str):
            return self.plugin
        from zk0_core.parts import installed

        return installed().get(self.kind, self.plugin)

    def built_options(self) -> Any:
        """Return the options object that `build` is given."""
        return structure_options(self.record().options, self.options, path=self.kind)

    def build(self) -> Any:
        """Return what the plugin builds, anew at each call."""
        return self.record().build(self.built_options())

    def test_summary_and_help(self) -> None:
        """It has a summary, and every option has a sentence of help."""
        record = self.record()
        check(record.summary.strip(), "its record has no summary; write one sentence")
        for option in describe(record.options):
            check(
                option.help.strip(),
                f'option {option.name} has no help; add metadata={{"help": "…"}} to its field',
            )

    def test_import_is_light(self) -> None:
        """Importing the plugin imports nothing heavy."""
        if not isinstance(self.plugin, str):
            return
        module = self._entry_module()
        heavy = _heavy_imports(module)
        check(
            not heavy,
            f"importing {module} and calling its hooks imports {', '.join(heavy)}; import them "
            "inside build, or inside what it builds",
        )

    def _entry_module(self) -> str:
        """Return the module that the plugin's entry point names."""
        from zk0_core.parts import installed

        return installed().find(self.kind, str(self.plugin)).module


def check_names(contract: type[Contract]) -> list[str]:
    """Return the names of a contract's checks, those of the base class last."""
    names = [
        name
        for part in contract.__mro__
        for name in vars(part)
        if name.startswith("test_") and callable(getattr(contract, name))
    ]
    return list(dict.fromkeys(names))


def sentence(test: Callable[..., None]) -> str:
    """Return what a check says must hold: the first line of its docstring, or its name."""
    lines = (test.__doc__ or test.__name__.removeprefix("test_").replace("_", " ")).splitlines()
    return lines[0].strip().rstrip(".")


@contextmanager
def folder() -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards; pytest's own is not there without pytest."""
    with tempfile.TemporaryDirectory(prefix="zk0-contract-") as name:
        yield Path(name)


def _excepted(test: Callable[..., None], reason: str) -> Callable[..., None]:
    @functools.wraps(test)
    def skipped(self: Contract) -> None:
        raise SkipTest(reason)

    return skipped


@functools.cache
def _heavy_imports(module: str) -> tuple[str, ...]:
    """Return what heavy packages are imported when a fresh interpreter asks for the records."""
    code = (
        f"import sys, {module}\n"
        "from zk0_core.faults import hooks_of\n"
        f"for hook in hooks_of({module}).values(): list(hook())\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise AssertionError(f"importing {module} alone fails: {reason}")
    # A plugin may print while it is imported; what it imported stands on the last line.
    return tuple(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else ()
