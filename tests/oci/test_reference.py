"""References, with docker's defaults."""

import pytest

from basewright.errors import InputError
from basewright.oci.reference import parse_reference

DIGEST = "sha256:" + "a" * 64
WIDE = "sha512:" + "b" * 128


@pytest.mark.parametrize(
    ("text", "whole", "familiar"),
    [
        ("python", "docker.io/library/python:latest", "python:latest"),
        ("python:3.13-slim", "docker.io/library/python:3.13-slim", "python:3.13-slim"),
        ("docker.io/python", "docker.io/library/python:latest", "python:latest"),
        ("index.docker.io/library/python:3", "docker.io/library/python:3", "python:3"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b:t"),
        ("gcr.io/distroless/static", "gcr.io/distroless/static:latest", "gcr.io/distroless/static:latest"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}", f"python@{DIGEST}"),
        (f"python:3@{DIGEST}", f"docker.io/library/python:3@{DIGEST}", f"python:3@{DIGEST}"),
        ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("UPPER/x", "UPPER/x:latest", "UPPER/x:latest"),
        ("Example.com/x", "Example.com/x:latest", "Example.com/x:latest"),
        ("a-b.example.com:8080/c/d_e:T.1-_", "a-b.example.com:8080/c/d_e:T.1-_", "a-b.example.com:8080/c/d_e:T.1-_"),
        ("host:65536/x", "host:65536/x:latest", "host:65536/x:latest"),
        ("xn--n3h.com/x", "xn--n3h.com/x:latest", "xn--n3h.com/x:latest"),
        ("[2001:db8::1]/x", "[2001:db8::1]/x:latest", "[2001:db8::1]/x:latest"),
        ("1.2.3.4/x", "1.2.3.4/x:latest", "1.2.3.4/x:latest"),
        ("a/" + "b" * 253, "docker.io/a/" + "b" * 253 + ":latest", "a/" + "b" * 253 + ":latest"),
        ("x:" + "t" * 128, "docker.io/library/x:" + "t" * 128, "x:" + "t" * 128),
        ("a" * 63, "docker.io/library/" + "a" * 63 + ":latest", "a" * 63 + ":latest"),
        ("a" * 64 + ":t", "docker.io/library/" + "a" * 64 + ":t", "a" * 64 + ":t"),
        ("x/" + "a" * 64, "docker.io/x/" + "a" * 64 + ":latest", "x/" + "a" * 64 + ":latest"),
        (f"x@{WIDE}", f"docker.io/library/x@{WIDE}", f"x@{WIDE}"),
        (f"localhost:5000/x:1@{WIDE}", f"localhost:5000/x:1@{WIDE}", f"localhost:5000/x:1@{WIDE}"),
    ],
)
def test_references_are_filled_in(text: str, whole: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (whole, familiar)
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Python",
        "python:",
        "python:-x",
        "python:a b",
        "python:3\n",
        "python@",
        "python@sha256:abc",
        "a//b",
        "/a",
        "a/",
        "-a",
        "a..b",
        "a___b",
        "ho st/x",
        "host:port/x",
        "user:secret@host/x",
        "https://host/x",
        "a/" + "b" * 256,
        "x:" + "t" * 129,
        "a/" + "b" * 254,
        "a" * 64,
        "0123456789abcdef" * 4,
        "aa/asdf$$^/aa",
        "a_/b",
        "a/_b",
        "a/b-",
        "a/.b",
        "a/b..c",
        "a/b.-c",
        "docker.io/UPPER",
        "localhost/Upper",
        "-host.com/x",
        "host-.com/x",
        "a..com/x",
        "under_score.com/x",
        "[::1/x",
        "[fe80::1%eth0]/x",
        "[fe80::1%25eth0]:5000/x",
        "host:/x",
        "host:50a/x",
        "x@sha256:" + "A" * 64,
        "x@sha256:" + "a" * 63,
        "x@sha256:" + "a" * 65,
        "x@sha512:" + "a" * 64,
        "x@md5:" + "a" * 32,
        f"x@{DIGEST}@{DIGEST}",
        f"x@{DIGEST}:t",
        f"@{DIGEST}",
        "x:t:t",
        "x :t",
        "größe",
        "x\0",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not an image reference"):
        parse_reference(text)


def test_no_tag_where_none_is_to_be_filled_in() -> None:
    assert parse_reference("x", default_tag=None).tag is None
    assert parse_reference(f"x@{DIGEST}").tag is None


def test_an_address_is_no_reference_and_its_password_is_not_told() -> None:
    with pytest.raises(InputError) as caught:
        parse_reference("https://me:hunter2@ghcr.io/team/service?token=hunter2")
    assert caught.value.hint == "write it without https://"
    assert "hunter2" not in caught.value.message
