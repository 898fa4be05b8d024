"""What a client has released with noise: the account that its privacy is counted from."""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zk0_core.errors import Zk0Error
from zk0_core.files import remove_unfinished, whole_file


class Ledger:
    """What a client has released, and the secret of its noise: a file that only grows.

    Nothing takes back what was sent: not a refusal, nor a server that goes back to its checkpoint,
    nor another run. A release counts for all episodes that it was made from, by their content, so
    that neither another address of the same recordings nor a choice among them starts anew.
    """

    def __init__(self, path: Path, episodes: Iterable[str]) -> None:
        """Read the ledger at `path`, or start one; nobody else may be writing it.

        Args:
            path: The file.
            episodes: Hashes of the episodes, one at least, that releases are made from now.
        """
        remove_unfinished(path)
        self._path = path
        self._episodes = sorted(set(episodes))
        self.data = hashlib.sha256("".join(self._episodes).encode()).hexdigest()[:16]
        """What the file calls these episodes."""
        self._known: dict[str, list[str]] = {}
        self._releases: dict[str, dict[str, Any]] = {}
        self.secret = secrets.token_bytes(32)
        self.refresh()

    def refresh(self) -> None:
        """Take in what another process of this client has written down, where there are several.

        Raises:
            Zk0Error: if it cannot be read.
        """
        if not self._path.is_file():
            return
        known: dict[str, list[str]] = {}
        releases: dict[str, dict[str, Any]] = {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            secret = bytes.fromhex(content["secret"])
            for name, hashes in content["episodes"].items():
                known[name] = [str(each) for each in hashes]
            for release, entry in content["releases"].items():
                if entry["data"] not in known:
                    raise ValueError(f"no episodes of release {release!r}")
                releases[release] = {
                    "run": str(entry["run"]),
                    "round": int(entry["round"]),
                    "noise": float(entry["noise"]),
                    "data": entry["data"],
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Zk0Error(
                f"what this client has spent of its privacy cannot be read from {self._path} "
                f"({type(problem).__name__}: {problem}); restore the file from a copy"
            ) from None
        self.secret, self._known, self._releases = secret, known, releases

    def noises(self) -> Counter[float]:
        """Return how many releases of these episodes, or of some, there were of each noise."""
        mine = set(self._episodes)
        shared = {name for name, hashes in self._known.items() if not mine.isdisjoint(hashes)}
        return Counter(e["noise"] for e in self._releases.values() if e["data"] in shared)

    def has(self, release: str) -> bool:
        """Return whether this very release was made before."""
        return release in self._releases

    def has_round(self, run: str, round: int) -> bool:
        """Return whether something was released in round `round` of `run`."""
        return any((e["run"], e["round"]) == (run, round) for e in self._releases.values())

    def add(self, release: str, run: str, round: int, noise: float) -> None:
        """Write down a release, before it is made; what could not be written was not released."""
        known = {**self._known, self.data: self._episodes}
        entry = {"run": run, "round": round, "noise": noise, "data": self.data}
        releases = {**self._releases, release: entry}
        content = {"secret": self.secret.hex(), "episodes": known, "releases": releases}
        with whole_file(self._path, private=True) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        self._known, self._releases = known, releases
