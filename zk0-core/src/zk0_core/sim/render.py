"""Pictures of a MuJoCo scene by casting one ray per pixel, on NumPy alone: no GL, no display.

Every pixel's ray meets the floor, analytically, or a triangle. A ray is only tried against the
triangles whose bounds on the screen hold its pixel; that is the one difference from trying all, and
what makes it quick. The arithmetic is elementwise, so the same state gives the same bits anywhere.
"""

import attrs
import mujoco
import numpy as np

_SKY = (0.45, 0.6, 0.75)
_TILES = np.array([[0.25, 0.3, 0.35], [0.35, 0.4, 0.45]])
_TILE_SIDE = 0.05  # m
_VIEW_DISTANCE = 5.0  # m
_LIGHT = np.array([0.3, -0.4, 0.86]) / np.sqrt(0.3**2 + 0.4**2 + 0.86**2)  # towards the light
# MuJoCo's geom groups that are drawn: 0 has floor and cube, 2 the arm's visual meshes.
_DRAWN_GROUPS = (0, 1, 2)
_FLOOR, _NOTHING = -1, -2
_NEAR = 1e-4  # m; nearer vertices have no useful place on the screen

_BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# fmt: off
_BOX_FACES = np.array([
    [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
])
# fmt: on


@attrs.frozen(eq=False)
class Poses:
    """Where a scene's geoms and cameras are at one moment; enough to draw it later."""

    geom_positions: np.ndarray  # (G, 3) m
    geom_rotations: np.ndarray  # (G, 3, 3)
    camera_positions: np.ndarray  # (C, 3) m
    camera_rotations: np.ndarray  # (C, 3, 3)

    @classmethod
    def of(cls, data: mujoco.MjData) -> "Poses":
        """Copy the poses that `data` has now."""
        return cls(
            data.geom_xpos.copy(),
            data.geom_xmat.reshape(-1, 3, 3).copy(),
            data.cam_xpos.copy(),
            data.cam_xmat.reshape(-1, 3, 3).copy(),
        )


@attrs.frozen(eq=False)
class Appearance:
    """How the things of a scene look; where they are is `Poses`."""

    colours: np.ndarray  # (G, 3) of every geom, in [0, 1]
    brightness: float = 1.0
    """Of everything but the sky, times what it is as a rule."""
    light_turn: float = 0.0
    """Radians about the vertical that the light's place is turned, seen from above leftwards."""

    def light(self) -> np.ndarray:
        """Return the direction towards the light, (3,)."""
        x, y, z = _LIGHT
        cosine, sine = np.cos(self.light_turn), np.sin(self.light_turn)
        return np.array([x * cosine - y * sine, x * sine + y * cosine, z])


class Scene:
    """The triangles of a model, in their geoms' frames, and its geoms' colours."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Gather what is drawn: meshes and boxes as triangles, and one floor.

        Raises:
            ValueError: if a drawn geom is neither a mesh, a box nor a plane.
        """
        self.model = model
        self.floor_size = np.zeros(2)
        self.parts: list[tuple[int, slice]] = []
        """Each drawn geom and where its vertices are."""
        vertices, faces, owners = ([np.zeros((0, 3))], [np.zeros((0, 3), int)], [np.zeros(0, int)])
        count = 0
        for geom in np.flatnonzero(np.isin(model.geom_group, _DRAWN_GROUPS)):
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE:
                self.floor_size = model.geom_size[geom, :2]
                continue
            points, triangles = _shape(model, geom)
            self.parts.append((int(geom), slice(count, count + len(points))))
            vertices.append(points)
            faces.append(triangles + count)
            owners.append(np.full(len(triangles), geom))
            count += len(points)
        self.vertices = np.concatenate(vertices).T.copy()  # (3, V) m, in the geom's frame
        self.faces = np.concatenate(faces).T.copy()  # (3, F) vertices of each triangle
        # The geom of each triangle; rows -2 and -1 are those of the sky and of the floor's tiles,
        # which come after the model's.
        self.owners = np.concatenate([*owners, [model.ngeom, model.ngeom + 1]])
        # A geom has its material's colour where it has a material, else its own.
        material = model.geom_matid
        shared = model.mat_rgba[np.maximum(material, 0), :3]
        self.colours = np.where(material[:, None] >= 0, shared, model.geom_rgba[:, :3])  # (G, 3)


def _shape(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a geom's vertices (V, 3), in its own frame, and its triangles (F, 3)."""
    kind = model.geom_type[geom]
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return _BOX_CORNERS * model.geom_size[geom], _BOX_FACES
    if kind != mujoco.mjtGeom.mjGEOM_MESH:
        raise ValueError(f"geom {geom} has type {kind}, which this renderer cannot draw")
    mesh = model.geom_dataid[geom]
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    face, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    points = model.mesh_vert[first : first + count].astype(float)
    return points, model.mesh_face[face : face + faces].astype(int)


class RayCamera:
    """One camera of a scene at one picture size.

    Vectors are kept as three arrays, one per axis, which NumPy goes through several times faster
    than through an array of triples.
    """

    def __init__(self, scene: Scene, camera: str, size: int) -> None:
        """Prepare the rays of `camera` for pictures of `size` x `size` pixels."""
        self._scene = scene
        self._camera = scene.model.camera(camera).id
        self._size = size
        self._half = float(np.tan(np.deg2rad(scene.model.cam_fovy[self._camera]) / 2))
        pixel = ((np.arange(size) + 0.5) / size * 2 - 1) * self._half
        x, y = np.meshgrid(pixel, -pixel)
        # (N,) each: rays are (x, y, -1) in the camera's frame, so depth is what they are times.
        self._x, self._y = x.ravel(), y.ravel()
        self._length = np.sqrt(self._x**2 + self._y**2 + 1)

    def picture(self, poses: Poses, appearance: Appearance) -> np.ndarray:
        """Return the picture, (size, size, 3) uint8."""
        origin = poses.camera_positions[self._camera]
        rotation = poses.camera_rotations[self._camera]
        vertices = self._vertices_seen(poses, origin, rotation)
        hit, depth = self._nearest_triangles(vertices)
        shade = np.ones(len(hit))
        solid = np.flatnonzero(hit >= 0)
        light = (appearance.light()[:, None] * rotation).sum(axis=0)  # in the camera's frame
        shade[solid] = self._shade_of_triangles(vertices, hit[solid], solid, light)
        floor, tiles = self._floor_seen(depth, origin, rotation)
        hit[floor] = _FLOOR
        facing = np.abs(self._world(2, rotation, floor)) / self._length[floor]
        shade[floor] = _shade(facing, np.array(_LIGHT[2]))
        shade[hit != _NOTHING] *= appearance.brightness
        colours = np.vstack([appearance.colours, _SKY, _TILES[0]])[self._scene.owners[hit]]
        colours[floor] = _TILES[tiles]
        pixels = (colours * shade[:, None]).clip(0, 1) * 255
        return pixels.astype(np.uint8).reshape(self._size, self._size, 3)

    def depth(self, poses: Poses) -> np.ndarray:
        """Return how far along the camera's axis each pixel's ray goes, (size, size) m, or inf."""
        origin = poses.camera_positions[self._camera]
        rotation = poses.camera_rotations[self._camera]
        _, depth = self._nearest_triangles(self._vertices_seen(poses, origin, rotation))
        floor, _ = self._floor_seen(depth, origin, rotation)
        falling = self._world(2, rotation, floor)
        depth[floor] = -origin[2] / falling
        return depth.reshape(self._size, self._size)

    def place(self, poses: Poses, point: np.ndarray) -> tuple[float, float] | None:
        """Return where `point`, (3,) metres, is in the picture; None if it is behind the camera.

        Returns:
            Pixels to the right and down from the picture's upper left corner.
        """
        rotation = poses.camera_rotations[self._camera]
        x, y, z = rotation.T @ (point - poses.camera_positions[self._camera])
        if z > -_NEAR:
            return None
        edge = -z * self._half
        return (x / edge + 1) * self._size / 2, (1 - y / edge) * self._size / 2

    def _world(self, axis: int, rotation: np.ndarray, pixels: np.ndarray | slice) -> np.ndarray:
        """Return one component, in the world, of the rays of `pixels`."""
        return (
            self._x[pixels] * rotation[axis, 0]
            + self._y[pixels] * rotation[axis, 1]
            - rotation[axis, 2]
        )

    def _vertices_seen(self, poses: Poses, origin: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Return the scene's vertices, (3, V) m, in the camera's frame, which looks along -z."""
        seen = np.empty_like(self._scene.vertices)
        for geom, part in self._scene.parts:
            # Sums written out: a matrix product's rounding differs between BLAS libraries.
            turn = (rotation[:, :, None] * poses.geom_rotations[geom][:, None, :]).sum(axis=0)
            shift = (rotation * (poses.geom_positions[geom] - origin)[:, None]).sum(axis=0)
            x, y, z = self._scene.vertices[:, part]
            for axis in range(3):
                seen[axis, part] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z
                seen[axis, part] += shift[axis]
        return seen

    def _nearest_triangles(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each pixel, the nearest triangle (N,) or nothing, and its depth (N,) m."""
        hit = np.full(self._size**2, _NOTHING)
        depth = np.full(self._size**2, np.inf)
        kept, which, pixel = self._candidates(vertices)
        # Ray d meets triangle ABC where d.(B x C), d.(C x A) and d.(A x B) have one sign, at the
        # depth det(ABC) over their sum; no projection, so corners behind the camera do no harm.
        a, b, c = (vertices[:, self._scene.faces[corner, kept]] for corner in range(3))
        bc = _cross(b, c)
        x, y = self._x[pixel], self._y[pixel]
        u, v, w = (
            x * normal[0][which] + y * normal[1][which] - normal[2][which]
            for normal in (bc, _cross(c, a), _cross(a, b))
        )
        total = u + v + w
        determinant = (a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2])[which]
        one_sign = (np.minimum(np.minimum(u, v), w) >= 0) | (np.maximum(np.maximum(u, v), w) <= 0)
        inside = np.flatnonzero(one_sign & (determinant * total > 0))
        pixel = pixel[inside]
        distance = determinant[inside] / total[inside]
        np.minimum.at(depth, pixel, distance)
        first = distance == depth[pixel]
        hit[pixel[first]] = kept[which[inside[first]]]
        return hit, depth

    def _candidates(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pair every triangle with the pixels whose centres lie within its bounds.

        Returns:
            The triangles that have any such pixel (K,); and for each of P pairs the place of its
            triangle among those (P,), and its pixel (P,).
        """
        size, faces = self._size, self._scene.faces
        x, y, z = vertices
        behind = z > -_NEAR
        deep = np.where(behind, _NEAR, -z) * self._half
        # Pixel k has its centre at k. Half a thousandth of a pixel is added against rounding:
        # the exact test comes later.
        left, right = self._bounds((x / deep + 1) * (size / 2) - 0.5)
        top, bottom = self._bounds((1 - y / deep) * (size / 2) - 0.5)
        corners_behind = behind[faces].sum(axis=0)
        right[corners_behind == 3] = -1
        # A triangle that reaches behind the camera may cover any pixel, unless it lies wholly on
        # the outer side of one plane of the view.
        partly = np.flatnonzero((corners_behind > 0) & (corners_behind < 3))
        left[partly], right[partly], top[partly], bottom[partly] = (0, size - 1, 0, size - 1)
        edge = -z * self._half
        for outside in (x > edge, x < -edge, y > edge, y < -edge):
            right[partly[outside[faces[:, partly]].all(axis=0)]] = -1
        kept = np.flatnonzero((right >= left) & (bottom >= top))
        left, top = left[kept], top[kept]
        width = right[kept] - left + 1
        count = width * (bottom[kept] - top + 1)
        which = np.repeat(np.arange(len(kept)), count)
        place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        down, across = np.divmod(place, width[which])
        return kept, which, down * size + across + (top * size + left)[which]

    def _bounds(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and last pixel (F,), (F,) between each triangle's vertices' places."""
        a, b, c = places[self._scene.faces]
        first = np.ceil(np.minimum(np.minimum(a, b), c) - 5e-4).clip(0, self._size)
        last = np.floor(np.maximum(np.maximum(a, b), c) + 5e-4).clip(-1, self._size - 1)
        return first.astype(int), last.astype(int)

    def _floor_seen(
        self, depth: np.ndarray, origin: np.ndarray, rotation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels (P,) where the floor, z = 0, is nearest, and their tiles, 0 or 1."""
        falling = self._world(2, rotation, slice(None))
        distance = np.where(falling < 0, -origin[2] / np.minimum(falling, -1e-12), np.inf)
        near = distance * self._length < _VIEW_DISTANCE
        pixels = np.flatnonzero(near & (distance > 0) & (distance < depth))
        x = origin[0] + distance[pixels] * self._world(0, rotation, pixels)
        y = origin[1] + distance[pixels] * self._world(1, rotation, pixels)
        width, length = self._scene.floor_size
        within = (np.abs(x) < width) & (np.abs(y) < length)
        tiles = np.floor(x[within] / _TILE_SIDE) + np.floor(y[within] / _TILE_SIDE)
        return pixels[within], tiles.astype(int) % 2

    def _shade_of_triangles(
        self, vertices: np.ndarray, triangles: np.ndarray, pixels: np.ndarray, light: np.ndarray
    ) -> np.ndarray:
        """Return the brightness (P,) of `triangles` (P,) where the rays of `pixels` (P,) meet.

        `light` (3,) is the direction towards the light, in the camera's frame.
        """
        a, b, c = (vertices[:, self._scene.faces[corner, triangles]] for corner in range(3))
        x, y, z = _cross(b - a, c - a)
        length = np.sqrt(x**2 + y**2 + z**2)
        ray = x * self._x[pixels] + y * self._y[pixels] - z
        lit = (x * light[0] + y * light[1] + z * light[2]) / length
        return _shade(np.abs(ray) / length / self._length[pixels], lit)


def _shade(facing: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Return the brightness of surfaces: a lamp at the camera, a light above, some of neither."""
    return 0.45 + 0.55 * (0.3 * facing + 0.7 * lit.clip(0, 1)).clip(0, 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross products of vectors kept as (3, K)."""
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )
