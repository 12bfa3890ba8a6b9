"""A registry on loopback that tells the digest of any image, as `docker pull` would be told."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "manifests": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answers for the API's root, and for manifests."""
        self.send_response(200)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if "/manifests/" in self.path:
            self.send_header("Content-Type", MEDIA_TYPE)
            self.send_header("Docker-Content-Digest", DIGEST)
        self.send_header("Content-Length", str(len(MANIFEST)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(MANIFEST)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def running_registry() -> Iterator[str]:
    """Starts a registry, and gives its host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
