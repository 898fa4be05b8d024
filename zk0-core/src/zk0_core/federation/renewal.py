"""The certificate that nodes see, while the server runs: it ends some day, the server does not."""

import ssl
import time
from pathlib import Path

from loguru import logger

from zk0_core.errors import UsageError
from zk0_core.federation.authority import end_of, ensure_shown, shown, warning
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import ServerSettings

LOOK_SECONDS = 86400.0
"""Between two looks at when it ends; the federation's own is made anew 60 days before."""

Stamps = tuple[tuple[int, int, int] | None, ...]


class Renewal:
    """Watches the files of the certificate and its key; whatever put others there."""

    def __init__(self, folder: ServerFolder, settings: ServerSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._seen = _stamps(shown(folder, settings))
        self._look_again = 0.0

    def look(self) -> bool:
        """Return whether the front is to load the certificate again.

        The federation's own is made anew when it ends soon, and what ends soon all the same is
        warned of in the log, once a day.
        """
        pair = shown(self._folder, self._settings)
        if _stamps(pair) == self._seen and time.monotonic() < self._look_again:
            return False
        self._look_again = time.monotonic() + LOOK_SECONDS
        try:
            ensure_shown(self._folder, self._settings)
        except (OSError, ValueError) as problem:
            logger.error("the certificate could not be made anew: {}", problem)
        try:
            if text := warning(self._folder, self._settings):
                logger.warning("the certificate {}", text)
        except UsageError as problem:
            logger.error("{}", problem)
        before, self._seen = self._seen, _stamps(pair)
        return self._seen != before and self._fits(pair)

    def _fits(self, pair: tuple[Path, Path]) -> bool:
        """Whether the two belong together: one may have been put there before the other."""
        try:
            # An empty password: nobody is to be asked for one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair, password="")
            end = end_of(self._folder, self._settings)
        except (OSError, UsageError) as problem:
            logger.error(
                "{} and {} cannot be used, the certificate before stays: {}", *pair, problem
            )
            return False
        logger.info("another certificate is in {}, and holds until {:%Y-%m-%d}", pair[0], end)
        return True


def _stamps(pair: tuple[Path, Path]) -> Stamps:
    return tuple(map(_stamp, pair))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from another one at its path; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
