"""Every strategy on the default task at equal steps: python benchmarks/strategies.py.

Trains the preset four-regions with each strategy and seed by `zk0 run`, as many at once as there
are cores, and prints a table in Markdown of success over the whole table. With --clients 8 two
clients share each region's recordings, and those strategies are held to fedavg that need more than
four. Each run is kept below --output, and one that is finished there is not trained again.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

ROUNDS = 75
"""Half of the default's, so that what is quicker has room to show it."""


@attrs.frozen
class Row:
    """One strategy, with the options that are not its defaults."""

    strategy: str
    options: tuple[str, ...] = ()
    """Such as "lr=0.1"."""

    def __str__(self) -> str:
        return " ".join([f"`{self.strategy}`", *(f"`{option}`" for option in self.options)])

    @property
    def flags(self) -> list[str]:
        """What chooses it on the command line."""
        named = [option.split("=") for option in self.options]
        options = [f"--strategy.{name}={value}" for name, value in named]
        return ["--strategy", self.strategy, *options]

    @property
    def folder(self) -> str:
        """Where its runs go."""
        return "-".join([self.strategy, *self.options])


FOUR = (
    Row("fedavg"),
    Row("fedprox"),
    Row("scaffold"),
    Row("diloco"),
    Row("qfedavg"),
    Row("fedavgm"),
    # Momentum of 0.9 adds up to ten steps: this keeps their sum at one.
    Row("fedavgm", ("lr=0.1",)),
    Row("fedadam"),
    Row("fedadagrad"),
    Row("fedyogi"),
    Row("fedmedian"),
    Row("norm-clip"),
)
"""All that four clients are enough for: krum, multi-krum and bulyan need five and seven. Of four,
trimmed-mean leaves the two in the middle, whose mean is fedmedian's too."""

EIGHT = (
    Row("fedavg"),
    Row("trimmed-mean"),
    Row("krum"),
    Row("multi-krum"),
    Row("bulyan"),
)
"""What four are too few for."""

REGIONS = ("right", "mid-right", "mid-left", "left")


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="train with seeds 0 to so many less 1")
    parser.add_argument("--only", nargs="*", metavar="STRATEGY", help="beside fedavg")
    parser.add_argument("--clients", type=int, choices=(4, 8), default=4)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many runs at once")
    parser.add_argument("--output", type=Path, default=Path("outputs/strategies"))
    asked = parser.parse_args()
    rows = FOUR if asked.clients == 4 else EIGHT
    rows = [row for row in rows if asked.only is None or row.strategy in ("fedavg", *asked.only)]
    runs = [(row, seed) for seed in range(asked.seeds) for row in rows]
    output = asked.output / f"{asked.clients}-clients"
    common = ["--rounds", str(asked.rounds), "--scheduler.t-0", str(asked.rounds)]
    if asked.clients == 8:
        common += two_for_each_region()

    with ThreadPoolExecutor(asked.jobs) as pool:
        # The first records the demonstrations for all.
        train(*runs[0], common, output)
        list(pool.map(lambda run: train(*run, common, output), runs[1:]))
    print("\n".join(table(rows, asked.seeds, output)))


def two_for_each_region() -> list[str]:
    """Return the flags for eight clients on what four have, with as many steps in all."""
    halves = [
        f"sim:lift?region={region}&episodes=50&partition={half}/2"
        for region in REGIONS
        for half in range(2)
    ]
    return [*(word for uri in halves for word in ("--client", uri)), "--local-steps", "5"]


def run_of(row: Row, seed: int, output: Path) -> Path:
    """Return the folder of a run."""
    return output / row.folder / f"seed_{seed}"


def train(row: Row, seed: int, common: Sequence[str], output: Path) -> None:
    """Train with `row` from `seed` and the flags `common`, unless that was done."""
    folder = run_of(row, seed, output)
    if folder.is_dir():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    command = [sys.executable, "-m", "zk0_cli", "run", *row.flags, *common, "--seed", str(seed)]
    command += ["--eval-every", "0", "--checkpoint-every", "0", "--workers", "1"]
    command += ["--reporter", "jsonl", "--output", str(part)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{row.folder}, seed {seed} failed:\n{done.stderr}")
    part.rename(folder)
    print(f"{row.folder}, seed {seed}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row], seeds: int, output: Path) -> list[str]:
    """Return the rows in Markdown, best first; the first one is what the others are held to."""
    import numpy as np

    from zk0_core.compare.scores import read_outcome
    from zk0_core.intervals import crossed_bootstrap

    def points(share: float) -> str:
        return f"{100 * share:.0f}"

    base, tried = None, Counter[str]()
    scored = []
    for row in rows:
        found = [read_outcome(run_of(row, seed, output)) for seed in range(seeds)]
        successes = np.stack([outcome.successes for outcome in found])
        base = successes if base is None else base
        lifted, tried = Counter[str](), Counter[str]()
        for outcome in found:
            for region, counts in outcome.regions.items():
                lifted[region] += counts["successes"]
                tried[region] += counts["rollouts"]
        scored.append((successes.mean(), row, successes, lifted))

    names = sorted(tried)
    columns = " | ".join(f"{name}, of {tried[name]}" for name in names)
    lines = [
        f"| strategy | success | by seed | minus `fedavg` | {columns} |",
        "|---|---|---|---|" + "---|" * len(names),
    ]
    for mean, row, successes, lifted in sorted(scored, key=lambda entry: -entry[0]):
        interval, gain = crossed_bootstrap(successes), crossed_bootstrap(successes - base)
        by_seed = ", ".join(points(rate) for rate in successes.mean(axis=1))
        difference = (
            f"{100 * (mean - base.mean()):+.0f} [{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
        )
        where = " | ".join(str(lifted[name]) for name in names)
        lines.append(
            f"| {row} | {points(mean)} % [{points(interval.low)}, {points(interval.high)}] "
            f"| {by_seed} | {'' if row is rows[0] else difference} | {where} |"
        )
    return lines


if __name__ == "__main__":
    main()
