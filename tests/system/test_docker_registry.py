"""Debian's docker-registry for real: pushed to and pulled from, plain, behind a password, with TLS; skopeo agrees."""

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.docker_registry import docker_registry, make_certificate
from tests.doubles.image import archive, as_json, lay_out, make_image, member, render_index, sha256
from tests.doubles.logins import registries
from tests.doubles.registry_state import PASSWORD, USER

from basewright._http import PooledHttp
from basewright.errors import ExitCode, InputError, OutOfReachError
from basewright.oci.copying import copy_image
from basewright.oci.digest import Digest
from basewright.oci.manifest import OCI_MANIFEST, Descriptor
from basewright.oci.reference import parse_reference
from basewright.oci.transports.layout import LayoutSource
from basewright.oci.transports.registries import Credentials, Mirror, Registries, RegistrySettings
from basewright.oci.transports.registry import RegistrySink, RegistrySource

NOISE = random.Random(4).randbytes(70 << 20)
"""More than two chunks of an upload."""
MADE = make_image(archive(member("etc/hello", b"hello\n")), archive(member("noise", NOISE)))
ARM = make_image(archive(member("arm")), architecture="arm64")
INDEX = render_index([MADE.descriptor() | {"platform": MADE.platform}, ARM.descriptor() | {"platform": ARM.platform}])
NOBODY = registries()
ALICE = registries(login=True)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    digest = sha256(INDEX)
    top = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(INDEX)}
    index = render_index([top | {"annotations": {"org.opencontainers.image.ref.name": "both"}}])
    return lay_out(tmp_path_factory.mktemp("layout"), MADE, ARM, index=index, extra={digest: INDEX})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[str]:
    with docker_registry(tmp_path / "registry") as host:
        yield host


def source(name: str, known: Registries) -> RegistrySource:
    return RegistrySource(parse_reference(name), PooledHttp(backoff_seconds=0.01), known)


def push(layout: Path, name: str, known: Registries) -> None:
    sink = RegistrySink(parse_reference(name), PooledHttp(backoff_seconds=0.01), known)
    copy_image(
        LayoutSource(layout, tag="both"),
        sink,
        platform=None,
        referrers=False,
        progress=lambda text: None,
        notice=lambda text: None,
    )
    sink.close()


def pulled(found: RegistrySource) -> bool:
    """Whether everything is there as it was pushed."""
    assert found.manifest(None) == INDEX
    assert found.manifest(Digest(sha256(ARM.manifest_bytes))) == ARM.manifest_bytes
    for made in (MADE, ARM):
        for digest, data in made.blobs.items():
            if digest != sha256(made.manifest_bytes):
                described = Descriptor(media_type="application/octet-stream", digest=digest, size=len(data))
                assert hashlib.sha256(b"".join(found.blob(described))).hexdigest() == digest[7:]
    return True


def skopeo(*words: str) -> bytes:
    program = shutil.which("skopeo")
    if program is None:
        pytest.skip("skopeo is not installed")
    done = subprocess.run([program, *words], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_plain_one(layout: Path, plain: str, tmp_path: Path) -> None:
    name = f"{plain}/team/app:both"
    push(layout, name, NOBODY)
    assert pulled(source(name, NOBODY))
    assert pulled(source(f"{plain}/team/app@{sha256(INDEX)}", NOBODY))
    assert skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}") == INDEX
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/copy:both")
    blob = sha256(MADE.layers[1])[7:]
    assert (tmp_path / "copy" / "blobs" / "sha256" / blob).read_bytes() == MADE.layers[1]


def test_what_skopeo_pushed(layout: Path, plain: str) -> None:
    name = f"{plain}/team/skopeo:both"
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:both", f"docker://{name}")
    assert pulled(source(name, NOBODY))


def test_what_is_there_is_not_sent_and_what_is_next_door_is_mounted(layout: Path, plain: str, tmp_path: Path) -> None:
    push(layout, f"{plain}/team/app:both", NOBODY)
    layer = Descriptor(media_type="application/octet-stream", digest=sha256(MADE.layers[1]), size=len(MADE.layers[1]))
    found = source(f"{plain}/team/app:both", NOBODY)
    same = RegistrySink(parse_reference(f"{plain}/team/app:again"), PooledHttp(), NOBODY)
    other = RegistrySink(parse_reference(f"{plain}/other/app:1"), PooledHttp(), NOBODY)
    assert same.has(layer, source=found)
    assert not other.has(layer, source=LayoutSource(layout, tag="both"))
    assert other.has(layer, source=found)
    assert b"".join(source(f"{plain}/other/app:1", NOBODY).blob(layer)) == MADE.layers[1]


def test_one_behind_a_password(layout: Path, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", login=True) as host:
        name = f"{host}/team/app:both"
        push(layout, name, ALICE)
        assert pulled(source(name, ALICE))
        credentials = f"{USER}:{PASSWORD}"
        assert skopeo("inspect", "--raw", "--tls-verify=false", "--creds", credentials, f"docker://{name}") == INDEX
        for known, word in (
            (NOBODY, "wants a login"),
            (registries(login=Credentials(username=USER, password="wrong")), "(?i)unauthorized"),
        ):
            with pytest.raises(OutOfReachError, match=word) as caught:
                source(name, known).manifest(None)
            assert caught.value.exit_code is ExitCode.COULD_NOT_TELL
            assert "docker login" in caught.value.hint
            with pytest.raises(OutOfReachError, match=word):
                push(layout, name, known)
        with pytest.raises(InputError, match="team/app:none does not exist in its registry"):
            source(f"{host}/team/app:none", ALICE).manifest(None)


@pytest.mark.parametrize("login", [False, True])
def test_one_with_a_certificate_of_its_own(
    layout: Path, tmp_path: Path, certificate: tuple[Path, Path], login: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with docker_registry(tmp_path / "registry", login=login, certificate=certificate) as host:
        name = f"{host}/team/app:both"
        trusted = {host: RegistrySettings(ca_files=(str(certificate[1]),))}
        known = registries(login=login, settings=trusted)
        push(layout, name, known)
        assert pulled(source(name, known))
        with pytest.raises(OutOfReachError, match="certificate is not trusted"):
            source(name, ALICE).manifest(None)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
        assert pulled(source(name, ALICE))
        push(layout, f"{host}/team/other:both", ALICE)  # its first question is a HEAD, whose answer says nothing
        assert pulled(source(f"{host}/team/other:both", ALICE))


def test_one_as_a_mirror(layout: Path, plain: str) -> None:
    push(layout, f"{plain}/hub/library/python:3.13", NOBODY)
    settings = {"docker.io": RegistrySettings(mirrors=(Mirror(location=f"{plain}/hub"),))}
    assert pulled(source("python:3.13", registries(settings=settings)))


def test_referrers_stand_under_a_tag_since_it_has_no_api(layout: Path, plain: str) -> None:
    name = f"{plain}/team/app:both"
    push(layout, name, NOBODY)
    sink = RegistrySink(parse_reference(name), PooledHttp(), NOBODY)
    subject = Descriptor(media_type=OCI_MANIFEST, digest=sha256(INDEX), size=len(INDEX))
    empty = Descriptor(media_type="application/vnd.oci.empty.v1+json", digest=sha256(b"{}"), size=2)
    sink.put_blob(empty, [b"{}"])
    for kind in ("application/x-signature", "application/x-sbom"):
        manifest = as_json(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": kind,
                "config": {"mediaType": empty.media_type, "digest": empty.digest, "size": 2},
                "layers": [],
                "subject": {"mediaType": OCI_MANIFEST, "digest": subject.digest, "size": subject.size},
                "annotations": {"made": "here"},
            }
        )
        described = Descriptor(media_type=OCI_MANIFEST, digest=sha256(manifest), size=len(manifest))
        for _ in range(2):
            sink.put_manifest(described, manifest)
    found = source(name, NOBODY).referrers(Digest(subject.digest))
    assert [each.artifact_type for each in found] == ["application/x-signature", "application/x-sbom"]
    assert found[0].annotations == {"made": "here"}
    tag = subject.digest.replace(":", "-")
    assert len(json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{plain}/team/app:{tag}"))) > 2
    assert source(name, NOBODY).referrers(Digest(sha256(b"nothing"))) == ()
