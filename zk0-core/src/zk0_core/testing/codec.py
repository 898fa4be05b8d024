"""What codecs must hold."""

from typing import TYPE_CHECKING, ClassVar

from zk0_core.errors import WireError
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors


class CodecContract(Contract):
    """Checks of a codec."""

    kind = "codec"
    tolerance: ClassVar[float] = 0.02
    """How far a value may be off after the way there and back, relative to the tensor's largest."""

    def test_there_and_back(self) -> None:
        """Values come back with names, shapes and float32, as near as promised."""
        import numpy as np

        sent = self._sent()
        got = self._there_and_back(sent)
        check(sorted(got) == sorted(sent), f"decode returns {sorted(got)}, not {sorted(sent)}")
        for name, array in sent.items():
            check(
                (got[name].shape, got[name].dtype) == (array.shape, np.dtype(np.float32)),
                f"{name} comes back as {got[name].dtype} {got[name].shape}",
            )
            if array.size:
                off = float(np.abs(got[name] - array).max() / max(np.abs(array).max(), 1e-30))
                check(off <= self.tolerance, f"{name} is off by {off:.2g} of its largest value")

    def test_same_bytes(self) -> None:
        """The same tensors give the same bytes, which Flower can send."""
        from zk0_core.wire.orders import pack

        first, second = (pack(self.build().encode(self._sent())).hash for _ in range(2))
        check(first == second, "two encodings of the same tensors differ")

    def test_arguments_are_left_alone(self) -> None:
        """Tensors that it is given are not changed in place."""
        from zk0_core.tensors import fingerprint

        sent = self._sent()
        before = fingerprint(sent)
        self._there_and_back(sent)
        check(fingerprint(sent) == before, "encode or decode writes into the arrays it is given")

    def test_nan_is_not_hidden(self) -> None:
        """A NaN stays one, or is refused: the server must see it."""
        import numpy as np

        sent = self._sent()
        sent["head.bias"][2] = np.nan
        try:
            got = self._there_and_back(sent)
        except WireError:
            return
        check(not np.isfinite(got["head.bias"]).all(), "a NaN comes back as a number")

    def test_misfits_are_refused(self) -> None:
        """Missing, unknown and misshapen tensors are refused with a WireError."""
        import numpy as np

        codec, sent = self.build(), self._sent()
        misfits = {
            "a missing tensor": {k: v for k, v in sent.items() if k != "head.bias"},
            "an unknown tensor": {**sent, "unheard": np.zeros(2, np.float32)},
            "a wrong shape": {**sent, "head.bias": np.zeros(4, np.float32)},
        }
        for what, tensors in misfits.items():
            try:
                codec.decode(codec.encode(tensors), like=sent)
            except WireError:
                continue
            raise AssertionError(f"decode takes {what}; raise WireError")

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

    def _there_and_back(self, tensors: "Tensors") -> "Tensors":
        """Return `tensors` as another process would decode them, over the wire's own arrays."""
        from zk0_core.wire.orders import pack

        packed = pack(self.build().encode(tensors)).arrays
        decoded: Tensors = self.build().decode(
            {name: array.numpy() for name, array in packed.items()}, like=tensors
        )
        return decoded
