"""A server that speaks as much of the Hub's API as downloading a dataset takes."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MAIN = "main"


class Hub(ThreadingHTTPServer):
    """Serves the dataset or model `owner/desk` from `folder`, and as `owner/gated` to few."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: Mapping[str, bytes] = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.break_after: dict[str, int] = {}
        """File to after how many bytes its connection is closed, the first time."""
        self.forbidden: set[str] = set()
        """Files that are not given."""
        self.sent: list[tuple[str, str]] = []
        """What was downloaded: file, and the range that was asked for."""
        self.tags = ["v3.0"]
        """Revisions besides the branch main; all are the same commit."""
        self.resolved: list[str] = []
        """The revisions that were asked for by name."""
        self.asked = 0
        """How often anything was asked for."""
        self.status = 0
        """What every question is answered with; 0 for an answer."""
        self.readers: set[str] = set()
        """Tokens of those who may read `owner/gated`."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Run the server in a thread."""
    with Hub(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def go_online(patch: pytest.MonkeyPatch, server: Hub, home: Path) -> None:
    """Let this process know no other Hub than `server`, and an empty cache of it in `home`."""
    # What the environment says is read when the Hub's client is imported, which has happened.
    template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    patch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
    patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:  # the name is http.server's
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked += 1
        if self.server.status:
            self._refuse(self.server.status, "")
            return
        refs = re.fullmatch(r"/api/datasets/(\w+/\w+)/refs", path)
        if refs:
            if self._is_known(refs[1], COMMIT):
                self._json(self._refs())
            return
        api = re.fullmatch(r"/api/datasets/(\w+/\w+)/(revision|tree)/([\w.]+)", path)
        if api and self._is_known(api[1], api[3]):
            self._json(self._info() if api[2] == "revision" else self._tree())
            return
        file = re.fullmatch(r"(?:/datasets)?/(\w+/\w+)/resolve/(\w+)/(.+)", path)
        if file and self._is_known(file[1], file[2]):
            self._file(file[3])
            return
        if not api and not file:
            self._refuse(404, "EntryNotFound")

    def _is_known(self, name: str, revision: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if name == "owner/gated" and token not in self.server.readers:
            self._refuse(403, "GatedRepo")
        elif name not in ("owner/desk", "owner/gated"):
            self._refuse(404, "RepoNotFound")
        elif revision not in (MAIN, COMMIT, *self.server.tags):
            self._refuse(404, "RevisionNotFound")
        else:
            if revision != COMMIT:
                self.server.resolved.append(revision)
            return True
        return False

    def _refs(self) -> object:
        def ref(kind: str, name: str) -> dict[str, str]:
            return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": COMMIT}

        return {
            "branches": [ref("heads", MAIN)],
            "converts": [],
            "tags": [ref("tags", tag) for tag in self.server.tags],
        }

    def _info(self) -> object:
        siblings = [{"rfilename": name} for name in self.server.files]
        return {"id": "owner/desk", "sha": COMMIT, "siblings": siblings}

    def _tree(self) -> object:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": _sha1(content)}
            for name, content in self.server.files.items()
        ]

    def _file(self, name: str) -> None:
        if name in self.server.forbidden:
            self._refuse(403, "")
            return
        content = self.server.files[name]
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{_sha1(content)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.server.sent.append((name, asked))
        stop = self.server.break_after.pop(name, len(content))
        self.wfile.write(content[start:stop])
        self.close_connection = stop < len(content)

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
