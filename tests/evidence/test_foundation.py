"""What an image is based on, and how that is known."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from basewright.evidence.foundation import BASE_DIGEST, BASE_NAME, find_foundation
from basewright.evidence.inspected import Foundation, KnownBy
from basewright.feeds.official import published_image
from basewright.oci.manifest import Descriptor, History
from basewright.oci.reading import ImageReading
from tests.doubles.image import archive, make_image, member
from tests.doubles.reading import reading_of

DEBIAN = "# debian.sh --arch 'amd64' out/ 'trixie' '@1757289600'"
ALPINE = "ADD alpine-minirootfs-3.22.1-x86_64.tar.gz / # buildkit"
PYTHON = (
    History(created_by=DEBIAN),
    History(created_by='CMD ["bash"]', empty_layer=True),
    History(created_by="ENV PATH=/usr/local/bin:/usr/bin", empty_layer=True),
    History(created_by="RUN /bin/sh -c set -eux; apt-get update # buildkit"),
    History(created_by="ENV PYTHON_VERSION=3.13.9", empty_layer=True),
    History(created_by="ENV PYTHON_SHA256=abc", empty_layer=True),
    History(created_by="RUN /bin/sh -c make install # buildkit"),
    History(created_by='CMD ["python3"]', empty_layer=True),
)
MINE = (History(created_by="COPY . /app # buildkit"), History(created_by='CMD ["app"]', empty_layer=True))


def image(
    *, history: Sequence[History] = (), annotations: Mapping[str, str] = {}, labels: Mapping[str, str] = {}
) -> ImageReading:
    made = make_image(archive(member("a", b"1")))
    made.manifest["annotations"] = dict(annotations)
    made.config["config"] = {"Labels": dict(labels)}
    found = reading_of(made.seal())
    return msgspec.structs.replace(found, config=msgspec.structs.replace(found.config, history=tuple(history)))


def with_layers(digests: Sequence[str]) -> ImageReading:
    found = image(history=PYTHON)
    layer = found.layers[0]
    descriptors = [Descriptor(media_type=layer.descriptor.media_type, digest=each, size=1) for each in digests]
    layers = tuple(msgspec.structs.replace(layer, descriptor=each) for each in descriptors)
    return msgspec.structs.replace(found, layers=layers)


def test_an_annotation_comes_first_with_its_digest() -> None:
    digest = f"sha256:{'a' * 64}"
    found = find_foundation(
        image(history=PYTHON, annotations={BASE_NAME: "example/base:1", BASE_DIGEST: digest}), "Debian GNU/Linux 13"
    )
    assert found == Foundation(
        name="example/base:1", by=KnownBy.ANNOTATION, digest=digest, source="annotation of the manifest"
    )


def test_a_digest_alone_is_a_name_and_a_label_is_an_annotation_too() -> None:
    digest = f"sha256:{'a' * 64}"
    found = find_foundation(image(labels={BASE_DIGEST: digest}), "")
    assert found == Foundation(name=digest, by=KnownBy.ANNOTATION, digest=digest, source="label of the config")


def test_the_layers_of_an_image_that_is_known_are_proof() -> None:
    known = published_image("python:3.13-slim-trixie", "linux/amd64")
    assert known is not None and known.manifest is not None
    digests = [layer.digest for layer in known.manifest.layers]
    found = find_foundation(with_layers([*digests, f"sha256:{'b' * 64}"]), "")
    assert found is not None
    assert (found.by, found.layers) == (KnownBy.LAYERS, len(digests))
    assert (found.name, found.digest) == (known.name, known.manifest.digest)
    fewer = find_foundation(with_layers(digests[:1]), "")  # Debian's own, where that is known
    assert fewer is None or fewer.layers == 1 or fewer.by is KnownBy.HISTORY


@pytest.mark.parametrize(
    ("history", "name", "layers"),
    [
        (PYTHON + MINE, "python:3.13.9 on debian:trixie", 3),
        (PYTHON, "python:3.13.9 on debian:trixie", 3),
        (PYTHON[:2] + MINE, "debian:trixie", 1),
        ((History(created_by=ALPINE), History(created_by='CMD ["sh"]', empty_layer=True), *MINE), "alpine:3.22.1", 1),
        (PYTHON[:5] + MINE, "debian:trixie", 1),  # a variable of that name alone says nothing
        (
            (History(created_by="ENV GOLANG_VERSION 1.24.1", empty_layer=True),
             History(created_by="ENV GOTOOLCHAIN=local", empty_layer=True),
             History(created_by="COPY /target/ / # buildkit"), History(created_by="WORKDIR /go"), *MINE),
            "golang:1.24.1", 2,
        ),
    ],
)  # fmt: skip
def test_history_tells_of_official_images(history: Sequence[History], name: str, layers: int) -> None:
    found = find_foundation(image(history=history), "Some Linux")
    assert found is not None
    assert (found.name, found.by, found.layers) == (name, KnownBy.HISTORY, layers)


def test_os_release_comes_last_and_nothing_is_no_base() -> None:
    found = find_foundation(image(history=MINE), "Alpine Linux v3.18")
    assert found == Foundation(name="Alpine Linux v3.18", by=KnownBy.OS_RELEASE, source="os-release")
    assert find_foundation(image(history=MINE), "") is None
