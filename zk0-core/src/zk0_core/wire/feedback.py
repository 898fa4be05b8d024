"""Error feedback: what a lossy codec left out of an update goes into the next one.

With e the error that is left over from the round before, a client sends c = C(delta + e) and keeps
e' = delta + e - C(delta + e), C being the codec there and back. Seide et al. 2014, "1-Bit
Stochastic Gradient Descent"; Karimireddy et al. 2019, "Error Feedback Fixes SignSGD and other
Gradient Compression Schemes", algorithm 1 with local updates in place of gradients.
"""

from zk0_core.protocols import Codec
from zk0_core.tensors import Tensors, added, difference


class ErrorFeedback:
    """A codec with a memory, made from one without; a `StatefulCodec`."""

    def __init__(self, codec: Codec) -> None:
        """Start with no error left over."""
        self._codec = codec
        self._left: Tensors = {}  # float32, as the update; empty before the first one

    def encode(self, tensors: Tensors) -> Tensors:
        """Return `tensors` encoded, with what is left over from the ones before."""
        due = added(tensors, self._left) if self._left else tensors
        encoded = self._codec.encode(due)
        arrives = self._codec.decode(encoded, like=due)
        self._left = difference(due, arrives)
        return encoded

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return what `encoded` says; the memory has no part in it."""
        return self._codec.decode(encoded, like)

    def state(self) -> Tensors:
        """Return the error that is left over, by name."""
        return dict(self._left)

    def restore(self, state: Tensors) -> None:
        """Take back what `state` returned; nothing for a fresh start."""
        self._left = dict(state)
