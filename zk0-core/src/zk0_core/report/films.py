"""The videos of a run that its page shows: the same starts in several rounds."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

ROUNDS = 6
"""Most rounds of which videos are shown."""
STARTS = 4
"""Most starts that are shown."""
BYTES = 48_000_000
"""Most bytes of videos in one page, which browsers hold in memory."""


@attrs.frozen
class Film:
    """One video."""

    path: Path
    round: int
    start: str
    """Its path below the round's folder without suffix, the same for the same start."""
    facts: dict[str, Any]
    """What the evaluator wrote beside it."""
    poster: bytes
    """Its last picture as JPEG."""

    @property
    def outcome(self) -> str:
        """How it went, in words; empty when nothing is known."""
        success, seconds = self.facts.get("success"), self.facts.get("seconds")
        if success is None:
            error = self.facts.get("mean_absolute_error")
            loss = self.facts.get("policy_loss")
            if error is not None:
                return f"off by {error:.3g} in the mean"
            return "" if loss is None else f"policy loss {loss:.3g}"
        word = "succeeded" if success else "failed"
        return word if seconds is None else f"{word} after {seconds:.1f} s"


@attrs.frozen
class Reel:
    """The films of a page."""

    films: tuple[Film, ...] = ()
    """By start, then by round."""
    found: int = 0
    """Films in the folder, shown or not."""
    broken: tuple[str, ...] = ()
    """Paths below the folder of those that would be shown but cannot be decoded."""

    def starts(self) -> dict[str, list[Film]]:
        """Return the films of each start, by round."""
        rows: dict[str, list[Film]] = {}
        for film in self.films:
            rows.setdefault(film.start, []).append(film)
        return rows


def choose_films(folder: Path) -> Reel:
    """Return the films of the run in `folder` that fit a page: first round, last, evenly between.

    Starts that were filmed in the last round come first.
    """
    found = {
        (_start(path, folder, round), round): path
        for round, paths in films_by_round(folder).items()
        for path in paths
    }
    rounds = sorted({round for _, round in found})
    if not rounds:
        return Reel()
    starts = sorted(
        {start for start, _ in found},
        key=lambda start: ((start, rounds[-1]) not in found, _by(start)),
    )
    for count, rows in _smaller(min(len(rounds), ROUNDS), min(len(starts), STARTS)):
        shown = spread(rounds, count)
        keys = [(s, r) for s in starts[:rows] for r in shown if (s, r) in found]
        if sum(found[key].stat().st_size for key in keys) <= BYTES:
            return _reel(folder, {key: found[key] for key in keys}, len(found))
    return Reel((), len(found))


def films_by_round(folder: Path) -> dict[int, list[Path]]:
    """Return the videos of the run in `folder`, by round and then by path."""
    return {
        round: sorted(place.rglob("*.mp4"))
        for place in folder.glob("evaluate/round_*")
        if (round := _number(place.name)) is not None
    }


def _start(path: Path, folder: Path, round: int) -> str:
    place = folder / "evaluate" / f"round_{round}"
    return path.relative_to(place).with_suffix("").as_posix()


def _reel(folder: Path, chosen: dict[tuple[str, int], Path], found: int) -> Reel:
    films, broken = [], []
    for (start, round), path in chosen.items():
        if poster := last_picture(path):
            films.append(Film(path, round, start, facts_of(path), poster))
        else:
            broken.append(path.relative_to(folder).as_posix())
    return Reel(tuple(films), found, tuple(broken))


def last_picture(path: Path) -> bytes | None:
    """Return the last picture of a video as JPEG; None if nothing in it can be decoded."""
    import io

    import av

    last = None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            # From the key picture before the end, so that long videos are not decoded whole.
            container.seek(stream.duration or 0, stream=stream)
            for last in container.decode(stream):  # noqa: B007
                pass
    except (av.FFmpegError, IndexError):
        return None
    if last is None:
        return None
    written = io.BytesIO()
    last.to_image().save(written, "JPEG", quality=80)
    return written.getvalue()


def spread(rounds: Sequence[int], count: int) -> list[int]:
    """Return `count` of `rounds`, evenly spread: the last always, the first when two or more."""
    if count == 1:
        return [rounds[-1]]
    last = len(rounds) - 1
    return [rounds[round(place * last / (count - 1))] for place in range(count)]


def _smaller(rounds: int, starts: int) -> list[tuple[int, int]]:
    """Return what to try, from most to least: first fewer starts, then fewer rounds."""
    fewer_starts = [(rounds, rows) for rows in range(starts, 0, -1)]
    return fewer_starts + [(count, 1) for count in range(rounds - 1, 0, -1)]


def _number(name: str) -> int | None:
    found = re.fullmatch(r"round_(\d+)", name)
    return int(found[1]) if found else None


def _by(start: str) -> list[Any]:
    """Return a key that sorts start_10 behind start_9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", start)]


def facts_of(path: Path) -> dict[str, Any]:
    """Return what the evaluator wrote beside the video at `path`; nothing if it cannot be read."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        # A film is worth seeing without them.
        return {}
    return facts if isinstance(facts, dict) else {}
