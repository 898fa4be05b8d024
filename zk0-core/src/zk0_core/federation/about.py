"""What a node tells the admin of its dataset: how much it is, and no more than it wants to.

A node signs it with its key, so that nobody else can say it in its name.
"""

import base64
import json
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.errors import UsageError
from zk0_core.federation.certificates import key_id
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import DatasetSummary, read, structured, unstructured, write

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PREFIX = b"zk0 dataset "
"""What is signed begins with this: a signature of something else is none of a summary."""
MOST_NAME = 300
"""Characters of a dataset's name."""


def signed(summary: DatasetSummary, key: "EllipticCurvePrivateKey") -> dict[str, Any]:
    """Return what a node sends: the summary and its signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    fields = unstructured(summary)
    signature = key.sign(_content(fields), ec.ECDSA(hashes.SHA256()))
    return {"dataset": fields, "signature": base64.b64encode(signature).decode()}


def keep(folder: ServerFolder, name: str, public_key: bytes, sent: dict[str, Any]) -> None:
    """Write down what the approved node `name` sent of its dataset.

    Raises:
        UsageError: if the owner of `public_key` did not sign it, or it is no summary.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_public_key(public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        signature = base64.b64decode(str(sent["signature"]), validate=True)
        key.verify(signature, _content(sent["dataset"]), ec.ECDSA(hashes.SHA256()))
        summary = structured(sent["dataset"], DatasetSummary)
    except (InvalidSignature, KeyError, ValueError):
        raise UsageError(
            "what this node says of its dataset is not signed with its key, or malformed; "
            "install the same version of zk0 on both"
        ) from None
    summary = attrs.evolve(
        summary,
        kind=summary.kind[:MOST_NAME],
        name=summary.name[:MOST_NAME],
        key=key_id(public_key),
    )
    path = folder.about / f"{name}.json"
    if read(path, DatasetSummary) != summary:
        write(path, summary)


def summary_of(folder: ServerFolder, name: str, public_key: bytes) -> DatasetSummary | None:
    """Return what the node `name` said of its dataset; None if it has said nothing."""
    summary = read(folder.about / f"{name}.json", DatasetSummary)
    # A name may have been given to another node since.
    return summary if summary is not None and summary.key == key_id(public_key) else None


def in_words(summary: DatasetSummary | None) -> str:
    """Return a summary for a table: "local, 50 episodes, 11200 frames"."""
    if summary is None:
        return ""
    what = summary.name or summary.kind
    return f"{what}, {summary.episodes} episodes, {summary.frames} frames"


def _content(fields: Any) -> bytes:
    return PREFIX + json.dumps(fields, sort_keys=True).encode()
