"""The names by which OpenSSL finds a CA certificate."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.bases.debian.conftest import CERTIFICATE

from basewright.bases.debian.certificates import install_certificates, subject_hash
from basewright.errors import HostileInputError
from basewright.oci.tree import Tree, file

HOST = Path("/usr/share/ca-certificates/mozilla")


def test_a_known_hash() -> None:
    assert subject_hash(CERTIFICATE.encode(), name="Amazon Root CA 3") == "8cb5ee0f"


@pytest.mark.parametrize(
    "damaged", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", CERTIFICATE[:200]]
)
def test_what_is_no_certificate_is_refused(damaged: str) -> None:
    with pytest.raises(HostileInputError, match="the certificate x cannot be read"):
        subject_hash(damaged.encode(), name="x")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_openssl_agrees_on_every_form_of_a_name(tmp_path: Path) -> None:
    subjects = ("/C=DE/O=Two  Spaces /CN= Lead", "/CN=Ünïcode ÀÉ/O=MiXeD", "/CN=a+OU=b/O=c", "/CN=x/emailAddress=A@B.C")
    for number, subject in enumerate(subjects):
        path = tmp_path / f"{number}.pem"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8"]
        subprocess.run([*make, "-multivalue-rdn", "-subj", subject, "-keyout", "/dev/null", "-out", path], check=True)
        told = subprocess.run(
            ["openssl", "x509", "-subject_hash", "-noout", "-in", path], capture_output=True, check=True
        )
        assert subject_hash(path.read_bytes(), name=subject) == told.stdout.decode().strip(), subject


@pytest.mark.skipif(shutil.which("openssl") is None or not HOST.is_dir(), reason="no openssl or no certificates here")
def test_openssl_rehash_makes_the_same_links(tmp_path: Path) -> None:
    tree = Tree()
    for path in HOST.glob("*.crt"):
        tree.add(file(f"usr/share/ca-certificates/mozilla/{path.name}", path.read_bytes()))
        (tmp_path / f"{path.stem}.pem").write_bytes(path.read_bytes())
    install_certificates(tree)
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    theirs = {path.name for path in tmp_path.iterdir() if path.suffix == ".0"}
    ours = {e.path.rpartition("/")[2] for e in tree if e.path.startswith("etc/ssl/certs/") and e.path.endswith(".0")}
    assert ours == theirs


def test_libssl_finds_the_bundle_where_the_openssl_package_is_left_out() -> None:
    tree = Tree()
    for path in ("usr/share/ca-certificates/mozilla/A.crt", "usr/lib/x86_64-linux-gnu/libcrypto.so.3"):
        tree.add(file(path, CERTIFICATE.encode()))
    install_certificates(tree)
    assert {path: tree.resolve(f"usr/lib/ssl/{path}") for path in ("cert.pem", "certs")} == {
        "cert.pem": "etc/ssl/certs/ca-certificates.crt",
        "certs": "etc/ssl/certs",
    }
