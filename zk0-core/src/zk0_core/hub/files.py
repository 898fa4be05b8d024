"""A saved model's files as they are published: none names a path of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VLM = "vlm"


def published_files(model: Path) -> Iterator[tuple[str, Path | bytes]]:
    """Yield name and content of each file of the model in folder `model`.

    LeRobot's format names the folder of a small vision-language model by an absolute path; where it
    is the model's own `vlm`, it is named so. Other absolute paths are left out.
    """
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        name = path.relative_to(model).as_posix()
        if path.parent == model and path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            yield name, (json.dumps(_without_paths(content), indent=2) + "\n").encode()
        elif name != "README.md":
            yield name, path


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_paths(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_paths(entry) for entry in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return VLM if Path(value).name == VLM else None
    return value
