"""What zk0 asks of each kind of plugin, run on those of this package.

`zk0 plugins test` finds this module beside plugin.py, and pytest runs it from the tests. A check
that cannot hold for a plugin is named in `exceptions`, with the reason.
"""

from pathlib import Path

from zk0_core.testing import LoaderContract
from zk0_csv.sample import write_sample


class TestLoader(LoaderContract):
    """The dataset loader."""

    plugin = "csv"

    def sample(self, folder: Path) -> str:
        """Return the address of a small recording, written to `folder`."""
        return f"csv:{write_sample(folder / 'desk')}?eval_episodes=1"
