"""Which archive is asked: the strategy's, the host's, or Debian's."""

from pathlib import Path

import pytest

from basewright.bases.debian.mirrors import DEFAULT_MIRROR, DEFAULT_SECURITY_MIRROR, Mirrors, find_mirrors
from basewright.errors import InputError
from basewright.strategy import DebianBase


def mirrors(tmp_path: Path, base: DebianBase | None = None, **files: str) -> Mirrors:
    """`list_x="…"` is sources.list.d/x.list, `sources_x` a deb822 file, `auth_x` credentials."""
    for name, text in files.items():
        kind, _, stem = name.partition("_")
        folder, suffix = ("auth.conf.d", "conf") if kind == "auth" else ("sources.list.d", kind)
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{stem}.{suffix}").write_text(text)
    return find_mirrors(base, apt_directory=tmp_path)


def urls(found: Mirrors) -> tuple[list[str], list[str]]:
    return [each.url for each in found.main], [each.url for each in found.security]


def test_a_host_without_apt_gets_debians_own(tmp_path: Path) -> None:
    assert urls(mirrors(tmp_path)) == ([DEFAULT_MIRROR], [DEFAULT_SECURITY_MIRROR])


def test_a_host_of_another_suite_names_its_mirror(tmp_path: Path) -> None:
    found = mirrors(
        tmp_path,
        list_a="# deb http://no.example/debian bookworm main\n"
        "deb [arch=amd64 trusted=yes signed-by=/k.gpg] https://mirror.example/debian/ bookworm main contrib # here\n"
        "deb-src http://src.example/debian bookworm main\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
        "deb cdrom:[Debian]/ bookworm main\n",
    )
    assert urls(found) == (
        ["https://mirror.example/debian", DEFAULT_MIRROR],
        ["http://mirror.example/debian-security", DEFAULT_SECURITY_MIRROR],
    )
    assert found.main[0].keys == ("/k.gpg",)


def test_deb822_sources_are_read(tmp_path: Path) -> None:
    found = mirrors(
        tmp_path,
        sources_debian="Types: deb deb-src\nURIs: http://a.example/remote http://b.example/debian\n"
        "Suites: trixie trixie-updates\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n\n"
        "Types: deb\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\nEnabled: no\n\n"
        "Types: deb\nURIs: http://a.example/debian-security\nSuites: trixie-security\nComponents: main\n",
    )
    assert urls(found) == (
        ["http://a.example/remote", "http://b.example/debian", DEFAULT_MIRROR],
        ["http://a.example/debian-security", DEFAULT_SECURITY_MIRROR],
    )
    assert found.main[0].keys == ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc",)


def test_archives_of_others_are_not_taken_for_debian(tmp_path: Path) -> None:
    found = mirrors(
        tmp_path,
        list_others="deb https://packages.example/apt stable main\n"
        "deb https://releases.example bookworm main\n"
        "deb https://download.example/linux/debian bookworm stable\n"
        "deb http://archive.ubuntu.com/ubuntu noble main\n"
        "deb http://archive.ubuntu.com/ubuntu noble-updates main\n"
        "deb http://security.ubuntu.com/ubuntu noble-security main\n",
    )
    assert urls(found) == ([DEFAULT_MIRROR], [DEFAULT_SECURITY_MIRROR])


def test_a_mirror_that_is_only_guessed_must_say_that_it_is_debian(tmp_path: Path) -> None:
    lines = "deb https://repos.example/debian stable main\ndeb http://mirror.example/debian trixie main\n"
    found = mirrors(tmp_path, list_a=lines)
    assert [each.is_guess for each in found.main] == [True, True, False]
    found = mirrors(tmp_path, list_a=lines + "deb http://mirror.example/debian trixie-updates main\n")
    assert [(each.url, each.is_guess) for each in found.main] == [
        ("http://mirror.example/debian", False),
        (DEFAULT_MIRROR, False),
    ]


def test_a_list_of_mirrors_is_followed(tmp_path: Path) -> None:
    listed = tmp_path / "mirrors.txt"
    listed.write_text("# ours\nhttps://one.example/debian\tpriority:1\nhttps://two.example/debian\n")
    found = mirrors(
        tmp_path, list_a=f"deb mirror+file:{listed} trixie main\ndeb mirror+file:{listed} trixie-updates main\n"
    )
    assert urls(found)[0] == ["https://one.example/debian", "https://two.example/debian", DEFAULT_MIRROR]


def test_the_strategys_mirror_is_the_only_one(tmp_path: Path) -> None:
    base = DebianBase(debian="trixie", packages=("a",), mirror="https://own.example/debian/")
    main, security = urls(mirrors(tmp_path, base, list_a="deb http://host.example/debian trixie main\n"))
    assert main == ["https://own.example/debian"]
    assert security == ["https://own.example/debian-security", DEFAULT_SECURITY_MIRROR]
    base = DebianBase(debian="trixie", packages=("a",), security_mirror="https://sec.example/x")
    assert urls(mirrors(tmp_path, base))[1] == ["https://sec.example/x"]


@pytest.mark.parametrize("mirror", ["file:///srv/debian", "ftp://a/debian", "mirror", "https://"])
def test_a_mirror_that_is_no_url_is_refused(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(InputError, match="mirror"):
        mirrors(tmp_path, DebianBase(debian="trixie", packages=("a",), mirror=mirror))


def test_credentials_go_to_their_own_host_and_are_never_shown(tmp_path: Path) -> None:
    found = mirrors(
        tmp_path,
        list_a="deb https://ann:secret@one.example/debian trixie main\ndeb https://two.example/x/debian trixie main\n"
        "deb https://two.example/y/debian trixie main\n",
        auth_a="machine two.example/x login bob password word\n",
    )
    one, two, three, _ = found.main
    assert one.url == "https://one.example/debian"
    assert (bool(one.authorization), bool(two.authorization), bool(three.authorization)) == (True, True, False)
    assert "secret" not in repr(found) and "Basic" not in repr(found)
