"""Whether kept evidence should be gathered again, since what was out of reach then may answer now."""

from collections.abc import Sequence

from basewright._http import PooledHttp
from basewright.bases.published import registry_answers
from basewright.candidate import Option
from basewright.evidence.store import EvidenceFile
from basewright.facts import FailureKind
from basewright.parallel import map_parallel
from basewright.strategy import PublishedBase

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0


def is_worth_another_try(options: Sequence[Option], files: Sequence[EvidenceFile]) -> bool:
    """False where nothing is incomplete, or only for want of registries that still do not answer, beside candidates
    that are whole. A registry is asked once, briefly: an unchanged run stays quick without one."""
    failures = [file.evidence.failure for file in files]
    incomplete = [
        option
        for option, failure in zip(options, failures, strict=True)
        if failure is not None and failure.kind is FailureKind.INCOMPLETE
    ]
    bases = [option.candidate.base for option in incomplete]
    published = [base for base in bases if isinstance(base, PublishedBase)]
    if len(published) < len(bases) or (bases and all(failures)):
        return True
    if not published:
        return False
    http = PooledHttp(connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS, retries=0)
    return any(map_parallel(lambda base: registry_answers(base, http), published, workers=len(published)))
