"""What a set of packages needs, and what is said where it cannot be had."""

import pytest

from basewright.bases.debian.index import Universe, parse_index
from basewright.bases.debian.resolution import resolve
from basewright.errors import InputError


def universe(*paragraphs: str, security: tuple[str, ...] = ()) -> Universe:
    """Packages written `name version; Field: value; …`."""
    pockets = [("main", parse_index(_index(paragraphs))), ("security", parse_index(_index(security)))]
    return Universe(pockets, "amd64", "trixie")


def _index(paragraphs: tuple[str, ...]) -> bytes:
    texts = []
    for paragraph in paragraphs:
        head, *fields = (each.strip() for each in paragraph.split(";"))
        name, version = head.split()
        architecture = "" if any(each.startswith("Architecture:") for each in fields) else "Architecture: amd64\n"
        texts.append(
            f"Package: {name}\nVersion: {version}\n{architecture}"
            + "".join(f"{each}\n" for each in fields)
            + f"Filename: pool/{name}.deb\nSize: 1\nSHA256: {'0' * 64}\n"
        )
    return "\n".join(texts).encode()


def names(universe: Universe, *requested: str, excluded: tuple[str, ...] = (), scripts_too: bool = False) -> list[str]:
    return [each.name for each in resolve(universe, requested, excluded=excluded, scripts_too=scripts_too).packages]


def test_depends_and_pre_depends_are_followed() -> None:
    packages = universe("a 1; Depends: b (>= 1), c; Recommends: r", "b 1; Pre-Depends: d", "c 1", "d 1", "r 1")
    assert names(packages, "a") == ["a", "b", "c", "d"]


def test_the_security_pocket_wins_where_it_is_newer() -> None:
    packages = universe("a 1:1.0-1", "b 2", security=("a 1:1.0-1+deb13u1", "b 1"))
    found = resolve(packages, ("a", "b")).packages
    assert [(each.version, each.archive) for each in found] == [("1:1.0-1+deb13u1", "security"), ("2", "main")]


def test_the_first_alternative_is_preferred_unless_another_is_there() -> None:
    packages = universe("a 1; Depends: x | y", "b 1; Depends: y", "x 1", "y 1")
    assert names(packages, "a") == ["a", "x"]
    assert names(packages, "a", "y") == ["a", "y"]
    assert names(packages, "a", "b") == ["a", "b", "y"]


def test_an_alternative_of_the_wrong_version_is_passed_over() -> None:
    assert names(universe("a 1; Depends: x (>= 2) | y", "x 1", "y 1"), "a") == ["a", "y"]


def test_virtual_packages_are_provided() -> None:
    packages = universe(
        "a 1; Depends: v", "p 1; Provides: v; Priority: optional", "q 1; Provides: v; Priority: required"
    )
    assert names(packages, "a") == ["a", "q"]
    assert names(packages, "a", "p") == ["a", "p"]


def test_a_version_is_satisfied_only_by_a_provider_that_states_one() -> None:
    packages = universe(
        "a 1; Depends: v (>= 2)", "p 9; Provides: v", "q 1; Provides: v (= 2.1)", "r 1; Provides: v (= 1)"
    )
    assert names(packages, "a") == ["a", "q"]


def test_a_conflict_leads_to_the_other_alternative() -> None:
    packages = universe("a 1; Depends: x | y", "b 1; Conflicts: x", "x 1", "y 1")
    assert names(packages, "b", "a") == ["a", "b", "y"]


def test_a_choice_that_fails_later_is_taken_back() -> None:
    packages = universe(
        "a 1; Depends: x | y, z", "x 1; Depends: w | v", "y 1", "z 1", "w 1; Breaks: z", "v 1; Conflicts: z"
    )
    assert names(packages, "a") == ["a", "y", "z"]


def test_breaks_of_an_older_version_does_not_matter() -> None:
    assert names(universe("a 1; Breaks: b (<< 2)", "b 2"), "a", "b") == ["a", "b"]


def test_who_provides_and_conflicts_with_the_same_name_does_not_conflict_with_itself() -> None:
    assert names(universe("a 1; Provides: mta; Conflicts: mta"), "a") == ["a"]


def test_any_architecture_needs_a_package_that_allows_it() -> None:
    packages = universe("a 1; Depends: p:any", "p 1; Multi-Arch: allowed", "b 1; Depends: q:any", "q 1")
    assert names(packages, "a") == ["a", "p"]
    with pytest.raises(InputError, match="b → q"):
        names(packages, "b")


def test_dependencies_of_maintainer_scripts_are_left_out() -> None:
    packages = universe("ca-certificates 1; Depends: openssl, debconf | debconf-2.0", "openssl 1", "debconf 1")
    resolution = resolve(packages, ("ca-certificates",))
    assert [each.name for each in resolution.packages] == ["ca-certificates"]
    assert resolution.left_out == ("debconf", "debconf-2.0", "openssl")
    assert names(packages, "ca-certificates", "openssl") == ["ca-certificates", "openssl"]
    assert names(packages, "ca-certificates", scripts_too=True) == ["ca-certificates", "debconf", "openssl"]


def test_what_is_excluded_counts_as_if_it_were_there() -> None:
    packages = universe("a 1; Depends: awk, b", "mawk 1; Provides: awk", "gawk 1; Provides: awk", "b 1")
    assert names(packages, "a", excluded=("mawk",)) == ["a", "b"]


def test_an_unknown_package_is_named_with_its_neighbours() -> None:
    with pytest.raises(InputError, match=r"there is no package python3\.31 in trixie \(amd64\)") as caught:
        names(universe("python3.13 1", "perl 1"), "python3.31")
    assert "python3.13" in caught.value.hint


def test_a_virtual_package_that_several_provide_is_not_guessed() -> None:
    with pytest.raises(InputError, match="v is a virtual package") as caught:
        names(universe("p 1; Provides: v", "q 1; Provides: v"), "v")
    assert "p, q" in caught.value.hint
    assert names(universe("p 1; Provides: v"), "v") == ["p"]


def test_an_unsatisfiable_set_names_the_chain() -> None:
    packages = universe("a 1; Depends: b", "b 1; Depends: c (>= 2)", "c 1.5")
    with pytest.raises(InputError, match=r"a → b → c \(>= 2\), which is not available: trixie \(amd64\) has c 1\.5"):
        names(packages, "a")
    with pytest.raises(InputError, match=r"a → n \| m, which is not available: trixie \(amd64\) has no such package"):
        names(universe("a 1; Depends: n | m"), "a")


def test_packages_that_conflict_are_named() -> None:
    with pytest.raises(InputError, match=r"a 1 conflicts with b \(<< 3\), which b 2 is"):
        names(universe("a 1; Conflicts: b (<< 3)", "b 2"), "a", "b")
    with pytest.raises(InputError, match="c → b: a 1 conflicts with b, which b 2 is"):
        names(universe("a 1; Conflicts: b", "b 2", "c 1; Depends: b"), "a", "c")


def test_packages_for_other_architectures_do_not_count() -> None:
    with pytest.raises(InputError, match="no package a"):
        names(universe("a 1; Architecture: arm64"), "a")


def test_a_folded_provides_field_is_read() -> None:
    data = _index(("a 1; Depends: v",)) + b"\nPackage: p\nVersion: 1\nArchitecture: all\nProvides: u,\n v (= 1),\n w\n"
    data += f"Filename: pool/p.deb\nSize: 1\nSHA256: {'0' * 64}\n".encode()
    packages = Universe([("main", parse_index(data))], "amd64", "trixie")
    assert names(packages, "a") == ["a", "p"]
