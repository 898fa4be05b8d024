"""What codecs must hold."""

from typing import TYPE_CHECKING, Any, ClassVar

from zk0_core.errors import WireError
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check, folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zk0_core.tensors import Tensors


class CodecContract(Contract):
    """Checks of a codec, of updates and of broadcasts."""

    kind = "codec"
    tolerance: ClassVar[float] = 0.02
    """How far a value may be off after the way there and back, relative to the tensor's largest."""

    def build_broadcast(self) -> Any:
        """Return the codec of broadcasts, anew at each call."""
        half = self.record().build_broadcast
        return half(self.built_options()) if half else self.build()

    def test_there_and_back(self) -> None:
        """Tensors come back with their names and shapes, as float32."""
        import numpy as np

        sent = self._sent()
        for what, codec in self._both():
            got = there_and_back(codec, sent)
            check(
                sorted(got) == sorted(sent),
                f"decode returns {sorted(got)}, not {sorted(sent)} ({what})",
            )
            for name, array in sent.items():
                check(
                    (got[name].shape, got[name].dtype) == (array.shape, np.dtype(np.float32)),
                    f"{name} comes back as {got[name].dtype} {got[name].shape} ({what})",
                )

    def test_updates_come_back_near(self) -> None:
        """The values of an update are as near as promised."""
        check_near(there_and_back(self.build(), self._sent()), self._sent(), self.tolerance)

    def test_broadcasts_come_back_near(self) -> None:
        """The values of a broadcast are as near as promised."""
        got = there_and_back(self.build_broadcast(), self._sent())
        check_near(got, self._sent(), self.tolerance)

    def test_same_bytes(self) -> None:
        """The same tensors give the same bytes, which Flower can send."""
        from zk0_core.wire.packing import pack

        for half in (self.build, self.build_broadcast):
            first, second = (pack(half().encode(self._sent())).hash for _ in range(2))
            check(first == second, "two encodings of the same tensors differ")

    def test_memory_survives(self) -> None:
        """A codec that remembers goes on from its state in a file as if it had never stopped."""
        from safetensors.numpy import load_file, save_file

        from zk0_core.protocols import StatefulCodec
        from zk0_core.tensors import fingerprint

        codec, again = self.build(), self.build()
        if not isinstance(codec, StatefulCodec):
            return
        codec.restore({})
        codec.encode(self._sent())
        with folder() as place:
            save_file(codec.state(), place / "state.safetensors")
            kept = load_file(place / "state.safetensors")
        after = fingerprint(codec.encode(self._sent()))
        again.encode(examples.tensors(seed=1))  # of a round that was refused
        again.restore(kept)
        check(
            fingerprint(again.encode(self._sent())) == after,
            "after restore(state()) an update is encoded otherwise",
        )

    def test_decoding_remembers_nothing(self) -> None:
        """What a server decodes does not depend on what was encoded or decoded before."""
        from zk0_core.tensors import fingerprint

        encoded = self.build().encode(self._sent())
        fresh, used = self.build(), self.build()
        used.encode(self._sent())
        used.decode(used.encode(self._sent()), like=self._sent())
        first, second = (fingerprint(c.decode(encoded, like=self._sent())) for c in (fresh, used))
        check(first == second, "decode has a memory")

    def test_broadcasts_remember_nothing(self) -> None:
        """Parameters are encoded alike whatever was before, so that a resumed run is the same."""
        from zk0_core.tensors import fingerprint

        fresh, used = self.build_broadcast(), self.build_broadcast()
        used.encode(self._sent())
        first, second = (fingerprint(c.encode(self._sent())) for c in (fresh, used))
        check(
            first == second,
            "the codec of broadcasts has a memory; give the record a build_broadcast without one",
        )

    def test_arguments_are_left_alone(self) -> None:
        """Tensors that it is given are not changed in place."""
        from zk0_core.tensors import fingerprint

        for what, codec in self._both():
            sent = self._sent()
            before = fingerprint(sent)
            there_and_back(codec, sent)
            check(
                fingerprint(sent) == before,
                f"encode or decode writes into the arrays it is given ({what})",
            )

    def test_nan_is_not_hidden(self) -> None:
        """A NaN stays one, or is refused: the server must see it."""
        import numpy as np

        for what, codec in self._both():
            sent = self._sent()
            sent["head.bias"][2] = np.nan
            try:
                got = there_and_back(codec, sent)
            except WireError:
                continue
            check(not np.isfinite(got["head.bias"]).all(), f"a NaN comes back as a number ({what})")

    def test_misfits_are_refused(self) -> None:
        """Missing, unknown and misshapen tensors are refused with a WireError."""
        import numpy as np

        sent = self._sent()
        misfits = {
            "a missing tensor": {k: v for k, v in sent.items() if k != "head.bias"},
            "an unknown tensor": {**sent, "unheard": np.zeros(2, np.float32)},
            "a wrong shape": {**sent, "head.bias": np.zeros(4, np.float32)},
        }
        for misfit, tensors in misfits.items():
            for what, codec in self._both():
                try:
                    codec.decode(codec.encode(tensors), like=sent)
                except WireError:
                    continue
                raise AssertionError(f"decode takes {misfit}; raise WireError ({what})")

    def _both(self) -> "Iterator[tuple[str, Any]]":
        """Yield what each codec is for, and the codec."""
        yield "updates", self.build()
        yield "broadcasts", self.build_broadcast()

    def _sent(self) -> "Tensors":
        """Return tensors with edges: no dimension, no value, nothing but zeros, small and large."""
        import numpy as np

        return {
            **examples.tensors(),
            "edge.empty": np.zeros((0, 3), np.float32),
            "edge.large": np.array([3e4, -1e4], np.float32),
            "edge.scalar": np.array(0.5, np.float32),
            "edge.small": np.array([1e-6, -3e-6], np.float32),
            "edge.zero": np.zeros(4, np.float32),
        }


def there_and_back(codec: Any, tensors: "Tensors") -> "Tensors":
    """Return `tensors` encoded, packed as they travel, and decoded."""
    from zk0_core.wire.packing import pack, unpack

    decoded: Tensors = codec.decode(unpack(pack(codec.encode(tensors)).arrays), like=tensors)
    return decoded


def check_near(got: "Tensors", sent: "Tensors", tolerance: float) -> None:
    """Raise AssertionError if a value is off by more than `tolerance` of its tensor's largest."""
    import numpy as np

    for name, array in sent.items():
        if array.size:
            off = float(np.abs(got[name] - array).max() / max(np.abs(array).max(), 1e-30))
            check(off <= tolerance, f"{name} is off by {off:.2g} of its largest value")
