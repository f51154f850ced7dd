"""`basewright copy SRC DST`."""

from typing import TYPE_CHECKING

import click

from basewright.cli.options import common_options, world_of
from basewright.cli.talk import Talk, print_result

if TYPE_CHECKING:
    from basewright.oci.copying import Copied
    from basewright.oci.transports.catalog import Doors
    from basewright.oci.transports.image_name import ImageName
    from basewright.progress import Progress


@click.command("copy")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Copy this platform's image only. Default: all.")
@click.option("--referrers", is_flag=True, help="Copy signatures and what else refers to the image, too.")
@common_options
def command(
    source: str, target: str, platform: str | None, referrers: bool, quiet: bool, verbose: bool, color: bool | None
) -> None:
    """Copy an image from SRC to DST, digests and all; print its digest.

    Places are named as skopeo does: docker://REF, oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG],
    docker-archive:FILE[:TAG], docker-daemon:REF, containers-storage:REF (podman), rootfs:FILE (to read only). Without
    a prefix, a path that exists (to write: one with ./ or / in front) is told by its content; anything else is a
    registry's reference.

    All platforms are copied, and the tag is kept where DST names none. A docker-archive or an engine takes one
    platform, this machine's unless --platform says otherwise; what it cannot keep is said.
    """
    from basewright.oci.transports.image_name import parse_name, parse_target, told_apart

    with Talk(quiet=quiet, verbose=verbose) as talk:
        world = world_of(talk)
        for word in filter(None, (told_apart(source), told_apart(target, is_target=True))):
            talk.notice(word)
        copied = _copy(
            parse_name(source),
            parse_target(target),
            world.doors,
            platform=platform,
            referrers=referrers,
            progress=talk.progress,
            notice=talk.notice,
        )
        for each in copied.lost:
            talk.notice(f"not copied: {each}")
    print_result(f"{copied.digest}\n")


def _copy(
    source: "ImageName",
    target: "ImageName",
    doors: "Doors",
    *,
    platform: str | None,
    referrers: bool,
    progress: "Progress",
    notice: "Progress",
) -> "Copied":
    from basewright.oci.copying import copy_image
    from basewright.oci.platform import host_platform, parse_platform
    from basewright.oci.transports.catalog import carried_name, open_sink, open_source

    wanted = parse_platform(platform) if platform else None
    with open_source(source, doors, platform=wanted or host_platform()) as opened:
        tag, whole_name = carried_name(source, opened)
        with open_sink(target, doors, tag=tag, whole_name=whole_name) as sink:
            return copy_image(opened, sink, platform=wanted, referrers=referrers, progress=progress, notice=notice)
