"""Every ratio side by side, in one run on one machine: python benchmarks/run.py.

Each measure has a process of its own. The results go to benchmarks/latest.json, or with --gpu to
latest-gpu.json, with the commit, the processor and the date; what is missing there of this commit
can be added by --only. Other work on the machine makes them meaningless, so that its load is
printed first.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import measures

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Print a line for each measure, and write those of full length to a file as they come."""
    by_name = {measure.__name__: measure for measure in (*measures.PROCESSOR, *measures.GPU)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=by_name, help="which to take")
    parser.add_argument("--gpu", action="store_true", help="take those that need a GPU")
    parser.add_argument("--short", action="store_true", help="see that they run; says nothing else")
    parser.add_argument("--one", choices=by_name, help="take one in this process, print JSON")
    parser.add_argument("--markdown", action="store_true", help="print what was taken as a table")
    arguments = parser.parse_args()
    if arguments.one:
        warnings.simplefilter("ignore")
        print(json.dumps(attrs.asdict(by_name[arguments.one](arguments.short))))
        return
    results = HERE / ("latest-gpu.json" if arguments.gpu else "latest.json")
    if arguments.markdown:
        print("\n".join(table(json.loads(results.read_text()))))
        return
    facts = {"commit": commit(), "processor": processor()}
    if arguments.gpu:
        facts["gpu"] = gpu()
    print(", ".join([*facts.values(), f"{os.cpu_count()} cores", f"load {os.getloadavg()[0]:.1f}"]))
    wanted = measures.GPU if arguments.gpu else measures.PROCESSOR
    names = [measure.__name__ for measure in wanted]
    if others := sorted(set(arguments.only or ()) - set(names)):
        parser.error(f"{', '.join(others)}: taken {'without' if arguments.gpu else 'with'} --gpu")
    failed = []
    for name in arguments.only or names:
        taken, problem = in_own_process(name, arguments.short)
        if taken is None:
            failed.append(name)
            print(f"{name} failed:\n{problem}", file=sys.stderr, flush=True)
            continue
        print(line(name, taken, by_name[name].__doc__ or ""), flush=True)
        if not arguments.short:
            add(results, facts, name, taken)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def in_own_process(name: str, short: bool) -> tuple[dict[str, Any] | None, str]:
    """Return the measure `name`, taken by a new process, or None and what went wrong."""
    command = [sys.executable, __file__, "--one", name, *(["--short"] if short else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), ""


def line(name: str, measure: dict[str, Any], meaning: str) -> str:
    """Return what people are told of a measure."""
    facts = "".join(f"\n    {fact} {value:.4g}" for fact, value in measure["facts"].items())
    theirs = "" if measure["theirs"] is None else f" against {measure['theirs']:.4g}"
    return f"{name} {measure['value']:.4g}  ({measure['ours']:.4g}{theirs})  {meaning}{facts}"


def table(results: dict[str, Any]) -> list[str]:
    """Return the measures in `results` as a table in Markdown."""
    lines = [
        "| measure | what it is | figure | ours | theirs | samples | besides |",
        "|---|---|---|---|---|---|---|",
    ]
    for measure in (*measures.PROCESSOR, *measures.GPU):
        if (taken := results.get(measure.__name__)) is None:
            continue
        theirs = "" if taken["theirs"] is None else f"{taken['theirs']:.4g}"
        besides = "; ".join(f"{fact} {value:.4g}" for fact, value in taken["facts"].items())
        lines.append(
            f"| `{measure.__name__}` | {measure.__doc__} | {taken['value']:.4g} "
            f"| {taken['ours']:.4g} | {theirs} | {taken['samples']} | {besides} |"
        )
    return lines


def add(results: Path, facts: dict[str, str], name: str, taken: dict[str, Any]) -> None:
    """Write a measure beside those of the same commit and processor; others go."""
    from zk0_core.files import write_text

    before = json.loads(results.read_text()) if results.is_file() else {}
    if {key: before.get(key) for key in facts} != facts:
        before = {}
    everything = {**before, **facts, "date": f"{datetime.now(UTC):%Y-%m-%d}", name: taken}
    write_text(results, json.dumps(everything, indent=2) + "\n")


def commit() -> str:
    """Return the commit that is measured, with -dirty behind it where files differ from it.

    What was measured before does not count.
    """

    def git(*command: str) -> str:
        done = subprocess.run(
            ("git", *command), cwd=HERE, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.strip()

    results = ":(top,exclude)benchmarks/latest*.json"
    dirty = git("status", "--porcelain", "--untracked-files=no", "--", ":/", results)
    return git("rev-parse", "HEAD") + ("-dirty" if dirty else "")


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for entry in info.read_text().splitlines():
            if entry.startswith("model name"):
                return entry.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu() -> str:
    """Return the GPU's name; end the program where there is none."""
    import torch

    if not torch.cuda.is_available():
        sys.exit(
            f"--gpu: torch {torch.__version__} finds no GPU on this machine; run it on one with an "
            "NVIDIA GPU and its driver, or take the processor's figures with make bench"
        )
    return torch.cuda.get_device_name()


if __name__ == "__main__":
    main()
