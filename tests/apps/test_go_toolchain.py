"""Which release of Go a candidate's words stand for."""

import datetime
from pathlib import Path

import pytest
from tests.doubles.module_proxy import module_proxy

from basewright._http import PooledHttp
from basewright.apps.go_toolchain import GoWords, fetch_toolchains, newest_release, parse_toolchain, words_of_version
from basewright.ecosystems.golang import GoVersion
from basewright.errors import InputError, OutOfReachError

DATES = {
    "1.23": [("1.23.12", datetime.date(2025, 8, 6))],
    "1.24": [("1.24.0", datetime.date(2025, 2, 11)), ("1.24.9", datetime.date(2025, 10, 13))],
    "1.25": [("1.25rc1", datetime.date(2025, 6, 11)), ("1.25.4", datetime.date(2025, 11, 5))],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("golang:1.24-alpine", GoWords(prefix="1.24", variant="alpine")),
        ("golang:1.24.5-alpine3.21", GoWords(exact="1.24.5", variant="alpine3.21")),
        ("golang:1.24", GoWords(prefix="1.24")),
        ("golang:1", GoWords(prefix="1")),
        ("golang", GoWords()),
        ("golang:latest", GoWords()),
        ("golang:alpine", GoWords(variant="alpine")),
        ("golang:alpine3.23", GoWords(variant="alpine3.23")),
        ("golang:trixie", GoWords(variant="trixie")),
        ("golang:1.25rc1-bookworm", GoWords(exact="1.25rc1", variant="bookworm")),
        ("golang:1.24-alpine@sha256:" + "a" * 64, GoWords(prefix="1.24", variant="alpine")),
        ("docker.io/library/golang:1.24-alpine", GoWords(prefix="1.24", variant="alpine")),
        ("registry.example.com:5000/mirror/golang:1.24.2", GoWords(exact="1.24.2")),
        ("cgr.dev/chainguard/go:latest-dev", GoWords(variant="dev")),
        ("1.24", GoWords(prefix="1.24")),
        ("go1.24.13", GoWords(exact="1.24.13")),
        ("1.25rc1", GoWords(exact="1.25rc1")),
        ("1.20.0", GoWords(exact="1.20")),
    ],
)
def test_words_name_a_release_or_a_line(text: str, words: GoWords) -> None:
    assert parse_toolchain(text, "toolchain") == words


@pytest.mark.parametrize(
    "text",
    [
        *("python:3.13-slim", "golang:nonsense", "golang:windowsservercore", "golang:1.24-nanoserver-ltsc2025"),
        *("go", "go:1.24", "golang:alpinex", "golang@sha256:" + "a" * 64, "golang:1.24 ", "golang:1.24\nRUN evil", "1"),
        *("gopher:1.24", "latest", "", "golang:tip"),
    ],
)
def test_what_is_no_go_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_toolchain(text, 'candidate[0].toolchain (candidate "x")')
    assert 'candidate "x"' in caught.value.message and caught.value.hint


def test_the_newest_patch_is_the_proxy_s_where_it_knows_a_newer_one() -> None:
    words = GoWords(prefix="1.24")
    listed = ["1.24.13", "1.24.2", "1.25.0", "1.24rc1"]
    assert newest_release(words, release_dates=DATES, listed=listed) == ("1.24.13", "the module proxy's list")


def test_the_newest_patch_is_the_shipped_one_where_the_proxy_s_list_is_behind() -> None:
    version, source = newest_release(GoWords(prefix="1.24"), release_dates=DATES, listed=["1.24.2"])
    assert version == "1.24.9" and "ships" in source


def test_the_newest_of_all_is_never_a_candidate_for_release() -> None:
    assert newest_release(GoWords(), release_dates=DATES, listed=["1.26rc1"])[0] == "1.25.4"
    assert newest_release(GoWords(prefix="1"), release_dates=DATES, listed=["2.0.0"])[0] == "1.25.4"


def test_an_unknown_line_cannot_be_told() -> None:
    with pytest.raises(OutOfReachError) as caught:
        newest_release(GoWords(prefix="1.2"), release_dates=DATES, listed=["1.24.1"])
    assert "Go 1.2 " in caught.value.message and "full version" in caught.value.hint


def test_lines_of_go_mod_name_a_release_or_a_line() -> None:
    assert words_of_version(GoVersion("1.24.3")) == GoWords(exact="1.24.3")
    assert words_of_version(GoVersion("go1.24rc2")) == GoWords(exact="1.24rc2")
    assert words_of_version(GoVersion("1.24")) == GoWords(prefix="1.24")
    assert words_of_version(GoVersion("1.20")) == GoWords(prefix="1.20")


def test_a_proxy_over_http_is_asked_for_its_list() -> None:
    with module_proxy(["1.24.13", "1.25rc1"]) as proxy:
        assert fetch_toolchains(f"{proxy.url}/go/,direct", PooledHttp()) == {"1.24.13", "1.25rc1"}
        assert proxy.asked == ["/go/golang.org/toolchain/@v/list"]


def test_credentials_in_a_proxy_s_address_reach_it() -> None:
    with module_proxy(["1.24.13"], password="secret") as proxy:
        address = proxy.url.replace("://", "://ci:secret@")
        assert fetch_toolchains(address, PooledHttp()) == {"1.24.13"}
        assert fetch_toolchains(proxy.url, PooledHttp()) == frozenset()


def test_credentials_in_netrc_reach_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ci password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with module_proxy(["1.24.13"], password="secret") as proxy:
        assert fetch_toolchains(proxy.url, PooledHttp()) == {"1.24.13"}


def test_a_proxy_that_is_a_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "my proxy" / "golang.org" / "toolchain" / "@v"
    folder.mkdir(parents=True)
    (folder / "list").write_text("v0.0.1-go1.24.2.linux-amd64\nnot a version\n")
    (folder / "v0.0.1-go1.24.4.linux-arm64.zip").touch()
    assert fetch_toolchains((tmp_path / "my proxy").as_uri(), PooledHttp()) == {"1.24.2", "1.24.4"}


def test_what_does_not_answer_is_passed_over() -> None:
    with module_proxy([], status=403) as broken, module_proxy(["1.24.1"]) as proxy:
        chain = f"{broken.url},direct,ftp://nowhere,{proxy.url}"
        assert fetch_toolchains(chain, PooledHttp()) == {"1.24.1"}
        assert fetch_toolchains(f"off,{proxy.url}", PooledHttp()) == frozenset()
    assert fetch_toolchains("", PooledHttp()) == frozenset()
