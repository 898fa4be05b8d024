"""What `zk0 doctor` looks at: each check says what it found, and the fix if that won't do."""

import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs

PYTHON_NEEDED = (3, 12)
DISK_NEEDED_GB = 2
"""For recordings, decoded frames, caches and the output of the embedded default."""


@attrs.frozen
class CheckResult:
    """One line of `zk0 doctor`."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    """What to do when it is not ok."""


def all_checks() -> list[CheckResult]:
    """Run every check, cheap ones first."""
    return [
        check_python(),
        check_disk("disk, here", Path.cwd()),
        check_cache(),
        check_plugins(),
        *(check_package(*package) for package in PACKAGES),
        check_video(),
        check_front(),
        check_device(),
    ]


PACKAGES = (
    ("torch", "torch", "2.7", "2.12"),
    ("lerobot", "lerobot", "0.6", "0.7"),
    ("flwr", "flwr", "1.41", "1.42"),
    ("mujoco", "mujoco", "3.3", "4"),
)
"""Distribution, module, lowest version, first version that is too new."""


def check_python() -> CheckResult:
    """Whether Python is new enough."""
    wanted = ".".join(map(str, PYTHON_NEEDED))
    return CheckResult(
        "python",
        sys.version_info[:2] >= PYTHON_NEEDED,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        f"zk0 needs Python {wanted} or newer; make a new environment with it",
    )


def check_package(distribution: str, module: str, low: str, high: str) -> CheckResult:
    """Whether a package is there in a version that zk0 was made for, and can be imported."""
    fix = f"pip install '{distribution}>={low},<{high}'"
    try:
        version = importlib.metadata.version(distribution)
        importlib.import_module(module)
    except importlib.metadata.PackageNotFoundError:
        return CheckResult(distribution, False, "not installed", fix)
    except Exception as error:  # an import may fail in any way; the check's line says how
        text = " ".join(str(error).split())
        return CheckResult(distribution, False, f"{type(error).__name__}: {text}", fix)
    fits = _numbers(low) <= _numbers(version) < _numbers(high)
    found = version if fits else f"{version}, zk0 is made for {low} up to below {high}"
    return CheckResult(distribution, fits, found, fix)


def check_disk(name: str, folder: Path) -> CheckResult:
    """Whether there is room in `folder`, or in what exists of its path."""
    from zk0_core.disk import existing, free_bytes

    free = free_bytes(folder) / 1e9
    return CheckResult(
        name,
        free >= DISK_NEEDED_GB,
        f"{free:.1f} GB free",
        f"zk0 needs {DISK_NEEDED_GB} GB at {existing(folder)}; free some, or use another disk",
    )


def check_cache() -> CheckResult:
    """Whether the cache folder can be written to, and has room."""
    from zk0_core.cache import cache_folder

    folder = cache_folder()
    fix = "give yourself the right to write there, or set ZK0_CACHE to another folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return CheckResult("cache", False, f"{folder} cannot be written: {error.strerror}", fix)
    disk = check_disk("cache", folder)
    return attrs.evolve(disk, found=f"{folder}, {disk.found}", fix=f"{disk.fix} (ZK0_CACHE)")


def check_plugins() -> CheckResult:
    """Whether every plugin can be used."""
    from zk0_core.registry import Registry

    plugins = Registry.discover().plugins
    bad = [plugin for plugin in plugins if plugin.status not in ("ok", "disabled")]
    names = ", ".join(f"{plugin.name} of {plugin.source} is {plugin.status}" for plugin in bad)
    return CheckResult(
        "plugins",
        not bad,
        names or f"{len(plugins)} usable",
        "zk0 plugins list says why; upgrade or uninstall what brings them",
    )


def check_video() -> CheckResult:
    """Whether PyAV is there with an H.264 encoder; it brings its own FFmpeg."""
    fix = "pip install --force-reinstall av"
    try:
        import av
        import av.codec
    except ImportError as error:
        return CheckResult("video", False, f"PyAV cannot be imported: {error}", fix)
    has: Callable[[str], bool] = av.codec.codecs_available.__contains__
    encoders = [name for name in ("libx264", "libsvtav1", "libaom-av1") if has(name)]
    library = av.library_versions["libavcodec"]
    found = f"PyAV {av.__version__}, FFmpeg's libavcodec {'.'.join(map(str, library))}"
    return CheckResult("video", bool(encoders), f"{found}, {' '.join(encoders)}", fix)


def check_front() -> CheckResult:
    """What listens outside for `zk0 server start`; it does without nginx."""
    from zk0_core.federation.nginx import INSTALL, installed

    found = installed()
    text = found or f"built-in; nginx is faster with large models: {INSTALL}"
    return CheckResult("front", True, text)


def check_device() -> CheckResult:
    """What policies can train on; a CPU alone is fine."""
    try:
        import torch
    except ImportError as error:
        return CheckResult("device", False, f"torch cannot be imported: {error}", "see torch above")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [f"cpu ({cores} cores)"]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(number).total_memory / 1e9
            found.append(f"cuda:{number} ({torch.cuda.get_device_name(number)}, {memory:.0f} GB)")
    if torch.backends.mps.is_available():
        found.append("mps")
    return CheckResult("device", True, ", ".join(found))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (2, 11, 0) of 2.11.0+cu128."""
    parts = []
    for part in version.partition("+")[0].split("."):
        digits = "".join(char for char in part if char.isdigit())
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)
