"""Pictures by ray casting: no graphics library, no display, the same bits everywhere.

The arithmetic avoids BLAS and sums of more than three terms on purpose: their results differ in
the last bit from machine to machine.
"""

import mujoco
import numpy as np

# Geometry groups to see: the scene (0) and the visual meshes (2), not the collision shapes (3).
_SEEN = np.array([1, 1, 1, 0, 0, 0], np.uint8)
_FAR = 5.0  # metres
_SKY = (0.45, 0.60, 0.75)
_FLOOR_LIGHT, _FLOOR_DARK = (0.35, 0.40, 0.45), (0.25, 0.30, 0.35)
_TILE = 0.05  # metres, edge of a floor tile
_LIGHT = np.array([0.3, -0.4, 0.86]) / np.sqrt(0.3**2 + 0.4**2 + 0.86**2)


class RayCaster:
    """Draws a model from its cameras; keeps the rays of every camera and size it has drawn."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Prepare to draw `model`, which must have a geom named "floor"."""
        self._model = model
        colours = model.geom_rgba[:, :3].astype(np.float64)  # (geoms, 3) in [0, 1]
        painted = model.geom_matid >= 0
        colours[painted] = model.mat_rgba[model.geom_matid[painted], :3]
        self._colours = colours
        self._floor = model.geom("floor").id
        self._rays: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def render(self, data: mujoco.MjData, camera: str, size: int) -> np.ndarray:
        """Return what `camera` sees in `data`, uint8 (size, size, 3), RGB.

        Raises:
            KeyError: if the model has no such camera.
        """
        camera_id = self._model.camera(camera).id
        x, y, z = self._directions(camera_id, size)
        turn = data.cam_xmat[camera_id]  # (9,) row by row: camera axes in the world
        rays = np.empty((size * size, 3))  # unit vectors in the world
        for axis in range(3):
            row = turn[3 * axis : 3 * axis + 3]
            rays[:, axis] = row[0] * x + row[1] * y + row[2] * z
        origin = data.cam_xpos[camera_id].copy()
        geom, distance, normal = self._cast(data, origin, rays)

        hit = geom >= 0
        colour = np.where(hit[:, None], self._colours[geom], _SKY)
        floor = geom == self._floor
        reach = distance[floor]
        column = np.floor((origin[0] + rays[floor, 0] * reach) / _TILE)
        row = np.floor((origin[1] + rays[floor, 1] * reach) / _TILE)
        odd = (column + row) % 2 > 0
        colour[floor] = np.where(odd[:, None], _FLOOR_LIGHT, _FLOOR_DARK)

        facing = np.abs(_dot(normal, rays))
        lit = np.clip(_dot(normal, _LIGHT[None]), 0, 1)
        bright = np.where(hit, 0.45 + 0.55 * np.clip(0.3 * facing + 0.7 * lit, 0, 1), 1.0)
        picture = np.clip(colour * bright[:, None], 0, 1) * 255
        return picture.astype(np.uint8).reshape(size, size, 3)

    def _directions(self, camera_id: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y, z of the unit ray of every pixel, each (size * size,), camera frame."""
        if (camera_id, size) not in self._rays:
            edge = np.tan(np.deg2rad(self._model.cam_fovy[camera_id]) / 2)
            centres = ((np.arange(size) + 0.5) / size * 2 - 1) * edge
            x, y = np.meshgrid(centres, -centres)  # picture rows go down, the camera's y goes up
            length = np.sqrt(x * x + y * y + 1)
            self._rays[camera_id, size] = (
                (x / length).ravel(),
                (y / length).ravel(),
                (-1 / length).ravel(),
            )
        return self._rays[camera_id, size]

    def _cast(
        self, data: mujoco.MjData, origin: np.ndarray, rays: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the geom hit (N,), -1 for none, its distance in metres (N,), its normal (N, 3)."""
        count = len(rays)
        geom = np.full(count, -1, np.int32)
        distance = np.zeros(count)
        normal = np.zeros(3 * count)
        mujoco.mj_multiRay(
            self._model,
            data,
            origin,
            rays.reshape(-1),
            _SEEN,
            1,  # static geoms too
            -1,  # no body left out
            geom,
            distance,
            normal,
            count,
            _FAR,
        )
        return geom, distance, normal.reshape(-1, 3)


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the dot product of each row, (N, 3) and (N or 1, 3) to (N,)."""
    return left[:, 0] * right[:, 0] + left[:, 1] * right[:, 1] + left[:, 2] * right[:, 2]
