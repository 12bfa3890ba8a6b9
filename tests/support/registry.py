"""Registries on loopback: one that tells the digest of any image, as `docker pull` would be told; one to pull from."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
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
    """Starts a registry that only tells digests, and gives its host and port."""
    with _serving(_Handler) as address:
        yield address


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving_registry(image: str) -> Iterator[tuple[str, str]]:
    """Starts a registry that has one image of this machine's engine; gives the image's name there, and its digest."""
    saved = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:

        def read(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        (parts,) = json.loads(read("manifest.json"))
        config, layers = read(parts["Config"]), [read(layer) for layer in parts["Layers"]]
    blobs = {f"sha256:{hashlib.sha256(blob).hexdigest()}": blob for blob in (config, *layers)}
    kind = "application/vnd.docker."
    described = [
        {"mediaType": f"{kind}{what}", "size": len(blob), "digest": digest}
        for (digest, blob), what in zip(
            blobs.items(),
            ["container.image.v1+json", *["image.rootfs.diff.tar.gzip"] * len(layers)],
            strict=True,
        )
    ]
    media_type = f"{kind}distribution.manifest.v2+json"
    document = {"schemaVersion": 2, "mediaType": media_type, "config": described[0], "layers": described[1:]}
    manifest = json.dumps(document).encode()
    manifest_digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    class Handler(_Handler):
        def do_GET(self) -> None:
            """Answers for the API's root, for the manifest, and for what is in it."""
            body, content = b"{}", "application/json"
            if "/manifests/" in self.path:
                body, content = manifest, media_type
            elif "/blobs/" in self.path:
                body, content = blobs[self.path.rpartition("/")[2]], "application/octet-stream"
            self.send_response(200)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Type", content)
            if body is manifest:
                self.send_header("Docker-Content-Digest", manifest_digest)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

    with _serving(Handler) as address:
        yield f"{address}/clockwork/test:1", manifest_digest
