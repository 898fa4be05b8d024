"""What the SuperLink says of a run, and what it does not."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zk0_core.engines._flower_control import Control
from zk0_core.errors import Zk0Error
from zk0_core.federation.certificates import ensure_authority, ensure_server_certificate
from zk0_core.federation.folder import ServerFolder


@contextmanager
def superlink_that_answers(status: int, folder: ServerFolder) -> Iterator[Control]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"database is locked")

        def log_message(self, *arguments: object) -> None:
            pass

    ensure_authority(folder.certificates)
    certificate = ensure_server_certificate(folder.certificates, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder.certificates / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with closing(Control(f"127.0.0.1:{server.server_port}", folder.ca)) as control:
                yield control
        finally:
            server.shutdown()


def test_a_run_is_unknown_only_when_the_superlink_says_so(tmp_path: Path) -> None:
    """Else a run that goes on would be started a second time."""
    folder = ServerFolder(tmp_path / "server")
    with superlink_that_answers(404, folder) as control:
        assert control.run_state(7) is None
    with superlink_that_answers(500, folder) as control, pytest.raises(Zk0Error) as problem:
        control.run_state(7)
    assert str(problem.value) == "the SuperLink does not tell of run 7: database is locked"
