"""Two images compared by the names that a user gives them."""

from basewright.evidence.difference import Difference, compare_images
from basewright.evidence.go_programs import differing_programs, with_go_modules
from basewright.evidence.named_image import open_named_image
from basewright.world import World


def compare_named_images(before: str, after: str, world: World, *, platform: str | None) -> Difference:
    """Reads both and compares them; Go programs that differ are looked into. Raises InputError, HostileInputError,
    OutOfReachError."""
    with (
        open_named_image(before, world, platform=platform, hashed=True) as one,
        open_named_image(after, world, platform=platform, hashed=True) as two,
    ):
        difference = compare_images(one.reading, two.reading)
        old, new = differing_programs(difference)
        if not old and not new:
            return difference
        return with_go_modules(difference, one.contents(old), two.contents(new))
