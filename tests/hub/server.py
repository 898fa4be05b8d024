"""A server that speaks as much of the Hub's API as publishing a model takes."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import attrs

TOKEN = "hf_only-for-this-test"


@attrs.define
class Repository:
    """A repository as it is after its last commit."""

    private: bool
    files: dict[str, bytes] = attrs.field(factory=dict)
    messages: list[str] = attrs.field(factory=list)
    tags: dict[str, int] = attrs.field(factory=dict)
    """Tag to how many commits there were."""


class Hub(ThreadingHTTPServer):
    """Lets the bearer of TOKEN write to repositories of `ann`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        """Large files by their SHA-256."""
        self.failing = 0
        """Status of every answer; 0 to answer."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def hub() -> Iterator[Hub]:
    """Run the server in a thread."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the names are http.server's
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def do_PUT(self) -> None:
        digest = self.path.rpartition("/")[2]
        self.server.objects[digest] = self._body()
        self._json({})

    def _body(self) -> bytes:
        if length := self.headers.get("Content-Length"):
            return self.rfile.read(int(length))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, body: bytes) -> None:
        if self.server.failing:
            self._json({"error": "failing"}, self.server.failing)
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json({"error": "who are you?"}, 401)
            return
        path = unquote(urlsplit(self.path).path)
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._json({"warnings": [], "errors": []})
        elif found := re.fullmatch(r"/api/models/(\w+/[\w-]+)(?:/(\w+)(?:/(\S+))?)?", path):
            name, what, _ = found.groups()
            if repository := self.server.repositories.get(name):
                self._of_repository(repository, name, what, body)
            else:
                self._json({"error": "there is none"}, 404)
        elif re.fullmatch(r"/\w+/[\w-]+\.git/info/lfs/objects/batch", path):
            self._batch(json.loads(body))
        else:
            self._json({"error": path}, 404)

    def _create(self, asked: dict[str, object]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] != "ann":
            self._json({"error": "not yours"}, 403)
        elif name in self.server.repositories:
            self._json({"error": "exists", "url": f"{self.server.endpoint}/{name}"}, 409)
        else:
            private = asked.get("private", asked.get("visibility") == "private")
            self.server.repositories[name] = Repository(bool(private))
            self._json({"url": f"{self.server.endpoint}/{name}"})

    def _of_repository(
        self, repository: Repository, name: str, what: str | None, body: bytes
    ) -> None:
        if what is None:
            self._json({"id": name, "private": repository.private, "siblings": []})
        elif what == "preupload":
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif what == "commit":
            self._commit(repository, [json.loads(line) for line in body.splitlines()])
        elif what == "tag":
            repository.tags[json.loads(body)["tag"]] = len(repository.messages)
            self._json({})

    def _batch(self, asked: dict[str, list[dict[str, str]]]) -> None:
        objects = [
            {
                **entry,
                "actions": {"upload": {"href": f"{self.server.endpoint}/objects/{entry['oid']}"}},
            }
            for entry in asked["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _commit(self, repository: Repository, lines: list[dict[str, dict[str, str]]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repository.messages.append(value["summary"])
            elif line["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository.files[value["path"]] = self.server.objects[value["oid"]]
        number = f"{len(repository.messages):040d}"
        url = f"{self.server.endpoint}/ann/x/commit/{number}"
        self._json({"success": True, "commitOid": number, "commitUrl": url})

    def _json(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""
