"""What the registry on loopback holds, whom it knows, and the faults that it makes on demand."""

import threading
from collections.abc import Mapping

import msgspec

from tests.doubles.image import OCI_MANIFEST, MadeImage, sha256

USER, PASSWORD, IDENTITY_TOKEN = "alice", "pass:word", "refresh-me"


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong with requests whose path holds `path` (and whose method is `method`), as many `times`."""

    path: str
    method: str = ""
    times: int = 1
    after: int = 0
    """So many requests are let through first."""
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cut_after: int | None = None
    """The connection is cut after so many bytes of the answer's body."""
    cut_request_after: int | None = None
    """So many bytes of the request's body are taken, then the connection is cut."""
    cut_answer: bool = False
    """The request is obeyed, and the connection cut in place of the answer."""
    wrong: bool = False
    """The first byte is another one."""
    pause_seconds: float = 0.0
    renounce: bool = False
    """All tokens given so far are good no more."""


class Token(msgspec.Struct, kw_only=True):
    """What a token allows (repository and action), how often and until when."""

    scopes: frozenset[tuple[str, str]]
    uses: int
    until: float


class Registry:
    """What the registry holds and does; `requests` are the method, path and headers of all that came."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.links: dict[str, set[str]] = {}
        """Digest → repositories that hold the blob; one that stands in no link is in every repository."""
        self.manifests: dict[str, tuple[str, bytes]] = {}
        """`repository:tag` or `repository@digest` → media type and bytes."""
        self.uploads: dict[str, bytearray] = {}
        """What has come of each blob so far, by `repository/session`."""
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self.login = ""
        """`basic`, `bearer`, or nothing."""
        self.anonymous_tokens = True
        """They allow to pull; a user's token allows to push, too."""
        self.private: set[str] = set()
        """Repositories that an anonymous token does not open."""
        self.token_uses: int | None = None
        """How many requests a token is good for."""
        self.token_seconds = 60.0
        self.ranges = True
        self.storage: Registry | None = None
        """The registry at another host that blobs are fetched from, with a signature in the query."""
        self.upload_host: Registry | None = None
        """The registry at another host that blobs are uploaded to."""
        self.mounts = True
        self.referrers_api = True
        self.referrers_page = 1000
        """How many referrers one answer holds; the next is named by a Link."""
        self.chunk_minimum = 0
        self.tokens: dict[str, Token] = {}
        self.host = ""
        self.scheme = "http"
        self.lock = threading.Lock()

    def put(self, repository: str, tag: str, image: MadeImage) -> str:
        """Keeps an image under a tag; returns its digest."""
        for digest, data in image.blobs.items():
            self.keep(repository, digest, data)
        return self.put_manifest(repository, tag, image.manifest_bytes)

    def keep(self, repository: str, digest: str, data: bytes) -> None:
        """Keeps a blob in one repository."""
        self.blobs[digest] = data
        self.links.setdefault(digest, set()).add(repository)

    def holds(self, repository: str, digest: str) -> bool:
        return digest in self.blobs and repository in self.links.get(digest, {repository})

    def put_manifest(self, repository: str, tag: str, data: bytes, *, media_type: str = OCI_MANIFEST) -> str:
        digest = sha256(data)
        for name in (f"{repository}:{tag}", f"{repository}@{digest}"):
            self.manifests[name] = (media_type, data)
        return digest

    def paths(self, method: str = "") -> list[str]:
        return [path for made, path, _ in self.requests if method in ("", made)]

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that is due for a request, used up once more."""
        with self.lock:
            for fault in self.faults:
                if fault.path in path and fault.method in ("", method) and fault.times:
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None
