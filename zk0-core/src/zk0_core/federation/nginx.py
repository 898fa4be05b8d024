"""nginx as what listens outside: it passes on the calls of nodes and our own few, and nothing else.

It holds what the built-in front holds, by the same tests; the built-in one stays behind it, on the
loopback address, and answers what is ours.
"""

import shutil
import subprocess
from pathlib import Path

from zk0_core.engines._flower_network import FLEET, MEDIA_TYPE, NODE_CALLS, NODE_HEADERS
from zk0_core.errors import UsageError
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.front import AUTHORITY, HELLO, JOIN, MAX_BODY, MAX_OWN_BODY
from zk0_core.files import write_text

SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where it is installed, beside what PATH says: Debian's is not among a user's."""

CONFIGURATION = """\
# Written by zk0 server start: changes are lost.
daemon off;
pid {temporary}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  server_tokens off;
  client_body_temp_path {temporary}/body;
  proxy_temp_path {temporary}/proxy;
  fastcgi_temp_path {temporary}/fastcgi;
  uwsgi_temp_path {temporary}/uwsgi;
  scgi_temp_path {temporary}/scgi;
  upstream superlink {{ server {superlink}; keepalive 64; }}
  upstream front {{ server {front}; keepalive 8; }}
  server {{
    listen {listen} ssl{both};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    # A request without TLS gets no answer at all.
    error_page 497 = @nothing;
    # What is behind is away: nodes try again.
    error_page 502 504 = @away;
    # Nothing waits in files: as root, nginx works as a user who may not write them.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    client_body_buffer_size 1m;
    proxy_buffer_size 64k;
    proxy_buffers 16 256k;
    proxy_busy_buffers_size 2m;
    proxy_http_version 1.1;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate {authority};
    proxy_ssl_name localhost;
    proxy_pass_request_headers off;
    proxy_set_header Host localhost;
    proxy_set_header Connection "";
{headers}
    location @nothing {{ return 444; }}
    location @away {{
      default_type application/json;
      return 503 '{{"error": "the server is starting; try again"}}';
    }}
    location / {{ return 404; }}
{locations}
  }}
}}
"""

# The path as it came, and not as nginx reads it: nothing written in another way gets through.
LOCATION = """\
    location = {path} {{
      client_max_body_size {most};
      if ($request_uri != "{path}") {{ return 404; }}
      if ($request_method != POST) {{ return 404; }}
{media}      proxy_pass https://{upstream};
    }}"""
MEDIA = '      if ($content_type != "{}") {{ return 404; }}\n'


INSTALL = "sudo apt-get install nginx-light"


def installed() -> str | None:
    """Return where nginx is; None where it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path=":".join(SYSTEM_PATHS))


def program() -> str:
    """Return where nginx is.

    Raises:
        UsageError: if it is not installed.
    """
    found = installed()
    if found is None:
        raise UsageError(
            f"--front nginx: nginx is not installed; install it, for example with {INSTALL}, "
            "or take --front built-in"
        )
    return found


def is_chosen(front: str, *paths: Path | str) -> bool:
    """Whether nginx listens outside.

    Args:
        front: What was asked for: nginx, built-in, or auto, which is nginx where that works.
        paths: What its configuration has to name.
    """
    if front != "auto":
        return front == "nginx"
    found = installed()
    return found is not None and _is_new_enough(found) and not any(map(_has_signs, paths))


def configure(
    folder: ServerFolder, superlink: str, front: str, listen: str, pair: tuple[Path, Path]
) -> Path:
    """Write nginx's configuration.

    Args:
        folder: The server's.
        superlink: Where the SuperLink listens, HOST:PORT.
        front: Where the built-in front listens.
        listen: What nginx listens on; an IPv6 address in brackets. [::] is IPv4 as well.
        pair: Files of the certificate and of its key, for what listens outside.
    """
    temporary = folder.path / "nginx"
    temporary.mkdir(parents=True, exist_ok=True)
    fleet = MEDIA.format(MEDIA_TYPE)
    calls = [(FLEET + call, MAX_BODY, fleet, "superlink") for call in NODE_CALLS]
    calls += [(path, MAX_OWN_BODY, "", "front") for path in (HELLO, JOIN, AUTHORITY)]
    locations = [
        LOCATION.format(path=path, most=most, media=media, upstream=upstream)
        for path, most, media, upstream in calls
    ]
    headers = [
        f"    proxy_set_header {name} $http_{name.replace('-', '_')};" for name in NODE_HEADERS
    ]
    path = temporary / "nginx.conf"
    text = CONFIGURATION.format(
        temporary=_quoted(temporary),
        superlink=superlink,
        front=front,
        listen=listen,
        both=" ipv6only=off" if listen.startswith("[::]:") else "",
        certificate=_quoted(pair[0]),
        key=_quoted(pair[1]),
        authority=_quoted(folder.ca),
        headers="\n".join(headers),
        locations="\n".join(locations),
    )
    write_text(path, text)
    return path


def _quoted(path: Path | str) -> str:
    """Return a path as a word of nginx's.

    Raises:
        UsageError: if it cannot be one.
    """
    if _has_signs(path):
        raise UsageError(
            f"--front nginx cannot use '{path}': its path has a blank or one of ;{{}}'\"\\$#; "
            "choose another ZK0_HOME, or take --front built-in"
        )
    return str(path)


def _is_new_enough(found: str) -> bool:
    """Whether nginx knows where to log before it has read its configuration: -e, from 1.19.5 on."""
    return subprocess.run([found, "-e", "stderr", "-v"], capture_output=True).returncode == 0


def _has_signs(path: Path | str) -> bool:
    """Whether nginx would read a path otherwise than it is meant."""
    return any(sign in str(path) for sign in " \t\n;{}'\"\\$#")
