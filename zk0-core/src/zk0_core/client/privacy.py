"""Differential privacy of what one client sends: clipped, with noise, and accounted for.

Before it leaves the client, an update is scaled down to a norm C and Gaussian noise of standard
deviation z · C is added to every value (McMahan et al. 2018, "Learning Differentially Private
Recurrent Language Models", with the noise at the client in place of the server). Whoever sees all
that a client sends, the server included, then learns no more than (ε, δ) allows about whether this
client's data was there at all: an update differs by at most C from none.

ε is Opacus's: Rényi differential privacy of the Gaussian mechanism, composed over all releases
(Mironov 2017). A client that is asked in fewer rounds gains nothing beyond having released less,
since the server knows whom it asks.

The server chooses noise and δ. A client with a bound of its own refuses a δ above `most_delta`, at
which a small ε would promise nothing.
"""

import hashlib
import importlib.util
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np

from zk0_core.client.ledger import Ledger
from zk0_core.data import Episode
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import ClientPlan, PluginChoice
from zk0_core.tensors import Tensors, as_arrays, fingerprint
from zk0_core.transforms import NormClip

ORDERS = (
    *(1 + x / 100 for x in range(1, 10)),
    *(1 + x / 10 for x in range(1, 100)),
    *range(11, 64),
    *(2**x for x in range(6, 15)),
)
"""Orders α of Rényi divergence of which the best one is taken."""

DELTA = 1e-5
"""δ where nothing is said, and the largest one at which a client bounds its ε."""


@attrs.frozen
class GaussianMechanism:
    """Clips an update, and adds noise that depends on a secret and on the update alone.

    The same update gets the same noise, so that a round which is trained again after a crash
    sends the same bytes and costs nothing more; any other one gets noise of its own. An
    `UpdateTransform`.
    """

    clip: float
    """C: no update is longer; above 0."""
    noise: float
    """z: the noise's standard deviation over C; 0 for none."""
    secret: bytes

    def apply(self, delta: Tensors) -> Tensors:
        """Return `delta`, clipped and noisy."""
        clipped = self.clipped(delta)
        return self.noisy(clipped, self.release(clipped)) if self.noise else clipped

    def clipped(self, delta: Tensors) -> Tensors:
        """Return `delta`, scaled down to C where it is longer."""
        return NormClip(self.clip).apply(delta)

    def release(self, clipped: Tensors) -> str:
        """Return what tells the release of an update, `clipped`, from every other one."""
        return f"{fingerprint(clipped)} {self.clip!r} {self.noise!r}"

    def noisy(self, clipped: Tensors, release: str) -> Tensors:
        """Return `clipped` with the noise of its `release`."""
        scale = self.noise * self.clip
        key = hashlib.sha256(self.secret + release.encode()).digest()
        return as_arrays(
            {
                name: (
                    array
                    + scale * normal_values(hashlib.sha256(key + name.encode()).digest(), array)
                ).astype(np.float32)
                for name, array in clipped.items()
            }
        )


def normal_values(key: bytes, like: np.ndarray) -> np.ndarray:
    """Return standard normal values of the shape of `like`, float64, from a key of 32 bytes.

    Box and Muller 1958, on the stream of AES in counter mode: what cannot be told from chance
    without the key, which NumPy's generators do not promise.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    pairs = -(-like.size // 2)
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    bits = np.frombuffer(stream.update(bytes(16 * pairs)), "<u8").reshape(2, pairs)
    uniform = ((bits >> 11) + 1) * 2.0**-53  # in (0, 1]
    radius, angle = np.sqrt(-2 * np.log(uniform[0])), 2 * np.pi * uniform[1]
    values = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return values[: like.size].reshape(like.shape)


def epsilon_of(noises: Mapping[float, int], delta: float) -> float:
    """Return the ε of so many releases of each noise multiplier z, at `delta`."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(noise, 1.0, count) for noise, count in sorted(noises.items())]
    with warnings.catch_warnings():
        # With the best order at an end of ORDERS, ε is a little larger than it might be.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return float(accountant.get_epsilon(delta, alphas=list(ORDERS)))


def most_delta(frames: int) -> float:
    """Return the largest δ at which a client that trains on `frames` bounds its ε.

    δ is the chance that the promise does not hold at all. Where it is 1 over the number of records,
    publishing one of them whole keeps to ε = 0 (Dwork and Roth 2014, "The Algorithmic Foundations
    of Differential Privacy", section 2.3). So it is at most 1 over the frames, rounded down to a
    power of ten; and DELTA at most, however few its frames, since what is protected is a client
    with all that it recorded.
    """
    return min(DELTA, 10.0 ** -math.ceil(math.log10(frames)))


class Privacy:
    """One client's mechanism, ledger and budget."""

    def __init__(
        self,
        client: ClientPlan,
        strategy: PluginChoice,
        ledger: Path,
        episodes: Sequence[Episode],
    ) -> None:
        """Take clip, noise and δ from the strategy's options, and the smaller of both budgets.

        Args:
            client: Its `epsilon` is its own budget.
            strategy: The run's.
            ledger: File of all that the client has released.
            episodes: What it trains on.

        Raises:
            UsageError: if the client asks for a bound on ε where there is no noise or δ is too
                large, or what counts it is not installed.
        """
        options = strategy.options
        self._client = client.name
        self._noise = float(options.get("dp_noise") or 0.0)
        self._delta = float(options.get("dp_delta") or DELTA)
        budgets = [each for each in (client.epsilon, options.get("dp_epsilon")) if each is not None]
        self._budget = min(budgets, default=None)
        clip = options.get("dp_clip")
        if client.epsilon is not None and not self._noise:
            raise UsageError(
                f"client {client.name!r} takes part up to epsilon = {client.epsilon:g} only, and "
                "updates of this run carry no noise; set strategy.dp_clip and strategy.dp_noise"
            )
        most = most_delta(sum(episode.stop - episode.start for episode in episodes))
        if client.epsilon is not None and self._delta > most:
            raise UsageError(
                f"client {client.name!r} takes part up to epsilon = {client.epsilon:g} only, and "
                f"this run counts it at delta = {self._delta:g}, which promises too little; set "
                f"strategy.dp_delta to {most:g} or less"
            )
        self._mechanism: GaussianMechanism | None = None
        if clip is None:
            return
        if self._noise and importlib.util.find_spec("opacus") is None:
            raise UsageError(
                "strategy.dp_noise needs Opacus to count what it costs; pip install 'zk0[privacy]'"
            )
        self._ledger = Ledger(ledger, (episode.hash for episode in episodes))
        self._mechanism = GaussianMechanism(float(clip), self._noise, self._ledger.secret)

    @property
    def epsilon(self) -> float | None:
        """What has been spent of these episodes, at the run's δ; None where no noise is added."""
        return epsilon_of(self._ledger.noises(), self._delta) if self._counts else None

    def check(self, run: str, round: int) -> None:
        """Raise Zk0Error if training in this round would release more than the budget allows."""
        if not self._counts:
            return
        self._ledger.refresh()
        if not self._ledger.has_round(run, round):
            self._check_budget()

    def apply(self, delta: Tensors, run: str, round: int) -> Tensors:
        """Return what may be sent of an update, after writing down that it is.

        Raises:
            Zk0Error: if that is more than the budget allows.
        """
        if self._mechanism is None:
            return delta
        clipped = self._mechanism.clipped(delta)
        if not self._noise:
            return clipped
        self._ledger.refresh()
        mechanism = attrs.evolve(self._mechanism, secret=self._ledger.secret)
        # Other episodes are another account, even where they lead to the same update.
        release = f"{self._ledger.data} {mechanism.release(clipped)}"
        if not self._ledger.has(release):
            self._check_budget()
            self._ledger.add(release, run, round, self._noise)
        return mechanism.noisy(clipped, release)

    def check_extra(self, extra: Tensors, strategy: str) -> None:
        """Raise Zk0Error if a strategy sends something that no noise was added to."""
        if self._counts and extra:
            raise Zk0Error(
                f"strategy '{strategy}' sends tensors beside the update, which no noise covers; "
                "choose another strategy, or leave out strategy.dp_noise"
            )

    @property
    def _counts(self) -> bool:
        return self._mechanism is not None and self._noise > 0

    def _check_budget(self) -> None:
        if self._budget is None:
            return
        spent = self._ledger.noises()
        after = epsilon_of(spent + Counter([self._noise]), self._delta)
        if after > self._budget:
            before = epsilon_of(spent, self._delta) if spent else 0.0
            raise Zk0Error(
                f"privacy budget of client {self._client!r} is spent: epsilon is {before:.3g} of "
                f"{self._budget:g} at delta {self._delta:g}, and would be {after:.3g} after "
                "another round"
            )
