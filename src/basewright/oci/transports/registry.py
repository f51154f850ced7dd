"""Registries as source and sink: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

Nothing relies on listing repositories or tags: some registries have no catalog.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec

from basewright._http import CHUNK_BYTES, RETRIES, BrokenOffError, NotFoundError, PooledHttp, RefusedError
from basewright._process import HostProcess
from basewright._url import follow, redact
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.digest import Digest
from basewright.oci.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST_BYTES,
    OCI_INDEX,
    REF_NAME,
    Descriptor,
    Index,
    Manifest,
    parse_manifest,
    render_json,
)
from basewright.oci.reference import Reference
from basewright.oci.transports.blob_upload import BlobUpload, begin_upload, cancel_upload
from basewright.oci.transports.credentials import DockerKeychain
from basewright.oci.transports.referrer_tags import attached_tags, list_tag
from basewright.oci.transports.registries import Registries
from basewright.oci.transports.registry_host import RegistryHost, hosts_for
from basewright.oci.transports.transport import Source

_ACCEPT = {"Accept": ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))}
_PAUSE_SECONDS = 0.1
_PROGRESS_BYTES = 1 << 20
"""A connection that brings so much between two cuts is worth another try, however often it is cut."""
_MAX_PAGES = 100
_PUT_SECONDS = 120.0
_Answer = TypeVar("_Answer")


class RegistrySource:
    """`Source` over one reference of a registry. Mirrors are asked first, in their order."""

    def __init__(self, reference: Reference, http: PooledHttp, registries: Registries | None = None) -> None:
        self.reference = reference
        self._hosts = hosts_for(reference, http, registries or default_registries())

    @property
    def name(self) -> str:
        return self.reference.familiar

    def manifest(self, digest: Digest | None) -> bytes:
        wanted = digest or self.reference.digest or self.reference.tag or "latest"
        missing = self.name if str(wanted) in self.name else f"{wanted} of {self.name}"
        data = b"".join(self._stream(f"manifests/{wanted}", _ACCEPT, MAX_MANIFEST_BYTES, missing))
        named = digest or self.reference.digest
        if named is not None and not named.matches(data):
            raise HostileInputError(f"{self.name}: the manifest does not have the digest {named.short}")
        return data

    def named_digest(self) -> Digest:
        """What the reference stands for now, by the registry's word: asked with HEAD, which counts as no pull."""
        place = f"manifests/{self.reference.digest or self.reference.tag or 'latest'}"

        def ask(host: RegistryHost) -> str:
            with host.open(place, headers=_ACCEPT, method="HEAD", scopes=host.scopes("pull")) as answer:
                return str(answer.headers.get("Docker-Content-Digest", ""))

        said = self._ask_each(ask, self.name)
        with suppress(HostileInputError):
            return Digest(said)
        return Digest.of(self.manifest(None))  # the header is no duty of a registry

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        digest = descriptor.checked_digest
        return self._stream(f"blobs/{digest}", {}, descriptor.size, f"the blob {digest.short} of {self.name}")

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        def ask(host: RegistryHost) -> tuple[Descriptor, ...]:
            return read_referrers(host, subject, self.name)

        listed = self._ask_if_any(ask, f"what refers to {subject.short} of {self.name}") or ()
        return (*listed, *filter(None, map(self._attached, attached_tags(subject))))

    def _attached(self, tag: str) -> Descriptor | None:
        """What stands under a tag, with it; None where nothing does."""

        def ask(host: RegistryHost) -> bytes:
            return b"".join(_bounded(_read(host, f"manifests/{tag}", _ACCEPT, 0), self.name))

        data = self._ask_if_any(ask, f"{tag} of {self.name}")
        if data is None:
            return None
        kind = parse_manifest(data, name=f"the manifest {tag} of {self.name}").kind
        return Descriptor(media_type=kind, digest=Digest.of(data), size=len(data), annotations={REF_NAME: tag})

    def _ask_if_any(self, ask: Callable[[RegistryHost], _Answer], what: str) -> _Answer | None:
        try:
            return self._ask_each(ask, what)
        except HostileInputError:
            raise
        except InputError:
            return None

    def _ask_each(self, ask: Callable[[RegistryHost], _Answer], what: str) -> _Answer:
        """The first answer: a mirror that lacks it or is out of reach is passed over."""
        for host in self._hosts[:-1]:
            if not host.is_down:
                with suppress(OutOfReachError):
                    return ask(host)
        try:
            return ask(self._hosts[-1])
        except OutOfReachError as error:
            raise _failure(self._hosts[-1], error, what) from None

    def _stream(self, path: str, headers: Mapping[str, str], max_bytes: int, what: str) -> Iterator[bytes]:
        """The body of one GET from the first host that has it; another one goes on where a mirror ends."""
        done = 0
        for host in self._hosts:
            is_last = host is self._hosts[-1]
            if host.is_down and not is_last:
                continue
            try:
                for chunk in _read(host, path, headers, done):
                    done += len(chunk)
                    if done > max_bytes:
                        raise HostileInputError(
                            f"{redact(host.url(path))} is larger than the {max_bytes:,} bytes announced"
                        )
                    yield chunk
                return
            except OutOfReachError as error:
                if is_last:
                    raise _failure(host, error, what) from None
                host.is_down = not isinstance(error, NotFoundError | RefusedError)


class RegistrySink:
    """`Sink` over one reference of a registry. Safe to share between threads."""

    keeps_manifests = True

    def __init__(self, reference: Reference, http: PooledHttp, registries: Registries | None = None) -> None:
        self._reference = reference
        settled = registries or default_registries()
        self._host = RegistryHost(reference.registry, reference.repository, http, settled)
        self._scopes = self._host.scopes("pull", "push")
        self._lock = threading.Lock()
        self._begun: dict[str, str] = {}
        """Uploads that the registry began in place of a mount, by digest."""

    @property
    def name(self) -> str:
        return self._reference.familiar

    def has(self, descriptor: Descriptor, *, source: Source) -> bool:
        digest = descriptor.checked_digest
        is_manifest = descriptor.media_type in MANIFEST_TYPES + INDEX_TYPES
        path = f"manifests/{digest}" if is_manifest else f"blobs/{digest}"
        headers = {"Accept": descriptor.media_type} if is_manifest else {}
        try:
            with self._host.open(path, method="HEAD", headers=headers, scopes=self._scopes):
                return True
        except NotFoundError:
            pass
        except OutOfReachError as error:
            raise self._host.refused(error, self.name) from None
        if is_manifest or not isinstance(source, RegistrySource):
            return False
        return self._mount(digest, source.reference)

    def put_blob(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        with self._lock:
            session = self._begun.pop(descriptor.digest, None)
        BlobUpload(self._host, descriptor, chunks, scopes=self._scopes, name=self.name, session=session).run()

    def put_manifest(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self._put(tag or descriptor.digest, descriptor, data)

    def finish(self, top: Descriptor, data: bytes) -> None:
        """One request keeps it under its tag and its digest."""
        digest, wanted = top.checked_digest, self._reference.digest
        if wanted is not None and wanted != digest:
            raise InputError(f"{self.name} cannot be written: the image has the digest {digest}")
        self._put(self._reference.tag or digest, top, data)

    def close(self) -> None:
        with self._lock:
            begun, self._begun = self._begun, {}
        for session in begun.values():
            cancel_upload(self._host, session, self._scopes)

    def _mount(self, digest: Digest, other: Reference) -> bool:
        """Whether the registry took the blob over from another of its repositories."""
        if other.registry != self._reference.registry or other.repository == self._reference.repository:
            return False
        scopes = (*self._scopes, f"repository:{other.repository}:pull")
        try:
            session, _ = begin_upload(self._host, scopes, {"mount": digest, "from": other.repository})
        except (NotFoundError, RefusedError):  # no right to read there, or no mounts here
            return False
        if session is not None:
            with self._lock:
                self._begun[digest] = session
        return session is None

    def _put(self, name: str, descriptor: Descriptor, data: bytes) -> None:
        """Keeps a manifest under its digest or a tag, and sees that it is listed with its subject."""
        digest = descriptor.checked_digest
        if not digest.matches(data) or len(data) != descriptor.size:
            raise HostileInputError(f"{self.name}: a manifest is not the one that was announced: {digest.short}")
        knows_subject = self._send(name, descriptor.media_type, data, digest)
        value = parse_manifest(data, name=f"the manifest {digest.short}")
        if value.subject is not None and not knows_subject:
            self._add_to_fallback(value.subject.checked_digest, descriptor, value)

    def _send(self, name: str, media_type: str, data: bytes, digest: Digest) -> bool:
        """Whether the registry lists the manifest with its subject."""
        try:
            with self._host.open(
                f"manifests/{name}",
                method="PUT",
                body=data,
                headers={"Content-Type": media_type},
                read_seconds=_PUT_SECONDS,
                scopes=self._scopes,
            ) as answer:
                kept = answer.headers.get("Docker-Content-Digest", "")
                if kept.partition(":")[0] == digest.algorithm and kept != digest:
                    raise OutOfReachError(f"the registry of {self.name} keeps another manifest than {digest.short}")
                return "OCI-Subject" in answer.headers
        except NotFoundError:
            raise OutOfReachError(f"the registry takes no manifest for {self.name}", hint="check the name") from None
        except OutOfReachError as error:
            raise self._host.refused(error, self.name) from None

    def _add_to_fallback(self, subject: Digest, descriptor: Descriptor, value: Manifest | Index) -> None:
        """Lists a manifest under its subject's tag, for registries without a referrers API."""
        artifact = value.artifact_type or (value.config.media_type if isinstance(value, Manifest) else "")
        entry = Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            artifact_type=artifact,
            annotations=value.annotations,
        )
        with self._lock:
            try:
                old = _read_fallback(self._host, subject, self.name, self._scopes)
            except NotFoundError:
                old = render_json(Index(schema_version=2, media_type=OCI_INDEX, manifests=()))
            except OutOfReachError as error:
                raise self._host.refused(error, self.name) from None
            if any(each.digest == entry.digest for each in _listed(old, subject, self.name)):
                return
            document = msgspec.json.decode(old, type=dict[str, object])  # what others wrote there stays, field by field
            listed = document.get("manifests")
            document["manifests"] = [*(listed if isinstance(listed, list) else ()), entry]
            data = msgspec.json.encode(document)
            self._send(list_tag(subject), OCI_INDEX, data, Digest.of(data))


def default_registries() -> Registries:
    """Logins of docker and podman, and no settings."""
    return Registries(keychain=DockerKeychain(HostProcess(), os.environ))


def read_referrers(host: RegistryHost, subject: Digest, name: str) -> tuple[Descriptor, ...]:
    """What one host lists as referring to `subject`: by its API, else by the tag that stands in for it. Raises
    NotFoundError where it knows neither, OutOfReachError, HostileInputError."""
    found: dict[str, Descriptor] = {}
    place = f"referrers/{subject}"
    for _ in range(_MAX_PAGES):
        try:
            data, following = _read_page(host, place, name)
        except (NotFoundError, RefusedError):
            if found:
                raise
            return _listed(_read_fallback(host, subject, name, host.scopes("pull")), subject, name)
        for each in _listed(data, subject, name):
            found.setdefault(each.digest, each)
        if not following:
            return tuple(found.values())
        place = following
    raise HostileInputError(f"{name}: the list of what refers to {subject.short} does not end")


def _read_page(host: RegistryHost, place: str, name: str) -> tuple[bytes, str]:
    """One page of the API's list, and where the next one is (RFC 8288)."""
    with host.open(place, headers={"Accept": OCI_INDEX}, scopes=host.scopes("pull")) as answer:
        link = answer.headers.get("Link", "")
        data = b"".join(_bounded(answer.stream(CHUNK_BYTES, decode_content=False), name))
    target, _, relation = link.partition(">")
    if not target.startswith("<") or "next" not in relation:
        return data, ""
    return data, follow(place if "://" in place else host.url(place), target[1:])


def _read_fallback(host: RegistryHost, subject: Digest, name: str, scopes: tuple[str, ...]) -> bytes:
    return b"".join(_bounded(_read(host, f"manifests/{list_tag(subject)}", _ACCEPT, 0, scopes), name))


def _listed(data: bytes, subject: Digest, name: str) -> tuple[Descriptor, ...]:
    index = parse_manifest(data, name=f"the list of what refers to {subject.short} of {name}")
    if not isinstance(index, Index):
        raise HostileInputError(f"{name}: the list of what refers to {subject.short} is no index")
    return index.manifests


def _read(
    host: RegistryHost, path: str, headers: Mapping[str, str], start: int, scopes: tuple[str, ...] = ()
) -> Iterator[bytes]:
    """The body from its byte `start` on; what was cut off goes on where it ended."""
    done, mark, cuts = start, start, 0
    while True:
        try:
            for chunk in _part(host, path, headers, done, scopes or host.scopes("pull")):
                done += len(chunk)
                yield chunk
            return
        except BrokenOffError:
            cuts = 1 if done - mark >= _PROGRESS_BYTES else cuts + 1
            mark = done
            if cuts > RETRIES:
                raise
            time.sleep(_PAUSE_SECONDS * 2**cuts)


def _part(
    host: RegistryHost, path: str, headers: Mapping[str, str], start: int, scopes: tuple[str, ...]
) -> Iterator[bytes]:
    """One answer's bytes from `start` on, whether the server sends parts or not."""
    part = {"Range": f"bytes={start}-"} if start else {}
    with host.open(path, headers={**headers, **part}, scopes=scopes) as answer:
        skip = start
        if answer.status == 206:
            if not answer.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-"):
                raise BrokenOffError(f"{redact(host.url(path))} went on elsewhere than it was asked to")
            skip = 0
        for chunk in answer.stream(CHUNK_BYTES, decode_content=False):
            dropped = min(skip, len(chunk))
            skip -= dropped
            if dropped < len(chunk):
                yield chunk[dropped:] if dropped else chunk


def _bounded(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_MANIFEST_BYTES:
            raise HostileInputError(f"a manifest of {name} is larger than {MAX_MANIFEST_BYTES:,} bytes")
        yield chunk


def _failure(host: RegistryHost, error: OutOfReachError, what: str) -> InputError | OutOfReachError:
    """What is missing is the user's to mend, since the registry answered."""
    if isinstance(error, NotFoundError):
        return InputError(f"{what} does not exist in its registry")
    return host.refused(error, what)
