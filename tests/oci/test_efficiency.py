"""dive's number. What is expected here is what dive's own code (v0.13.1) answered to the same layers."""

import pytest

from basewright.oci.efficiency import efficiency
from basewright.oci.tree import Entry, FileType

Layer = tuple[tuple[str, int], ...]


def score(*layers: Layer) -> float:
    """A name that ends in a slash is a folder."""
    return efficiency(
        [
            [
                Entry(
                    path=path.rstrip("/"),
                    type=FileType.DIRECTORY if path.endswith("/") else FileType.FILE,
                    mode=0,
                    size=size,
                )
                for path, size in layer
            ]
            for layer in layers
        ]
    )


def test_dive_s_own_example() -> None:
    assert score(
        (("etc/nginx/nginx.conf", 2000), ("etc/nginx/public", 3000)),
        (("etc/nginx/nginx.conf", 5000), ("etc/athing", 10000)),
        (("etc/.wh.nginx", 0),),
    ) == pytest.approx(0.75)


def test_nothing_stored_twice_is_wholly_efficient() -> None:
    assert score() == 1.0
    assert score(()) == 1.0
    assert score((("nothing", 0),), (), ()) == 1.0
    assert score((("a", 5), ("b/", 0), ("b/c", 7))) == 1.0


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (((("a", 100), ("b", 100)), (("a", 50),)), 150 / 250),  # rewritten: the least of both counts
        (((("a", 100), ("b", 100)), ((".wh.a", 0),)), 100 / 200),  # a file removed counts nothing
        (((("d/", 0), ("d/a", 100), ("b", 100)), ((".wh.d", 0),)), 1.0),  # a folder removed counts all its bytes, once
        (((("d/a", 100), ("b", 100)), ((".wh.d", 0),)), 1.0),  # the folder was never listed
        (((("a", 100),), ((".wh.none", 0), ("a", 300))), 99 / 100),  # a whiteout of nothing: the rest is passed over
        (((("d/", 0), ("d/a", 9)), (("d/.wh..wh..opq", 0), ("d/b", 5))), 1.0),  # opaque folders are not seen
    ],
)
def test_the_oddities_of_dive(layers: tuple[Layer, ...], expected: float) -> None:
    assert score(*layers) == pytest.approx(expected)


def test_folders_deeper_than_the_interpreter_recurses() -> None:
    deep = "/".join(["d"] * 2000)
    assert score((("d/", 0), (deep, 10), ("a", 10)), ((".wh.d", 0), ("a", 10))) == pytest.approx(30 / 40)
