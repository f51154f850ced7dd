"""build_performance: how long a developer waits for a layer after an edit."""

import statistics

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also, median_also, median_interval, normalised
from basewright.facts import Also, Basis, BuildFacts, Evidence, Measurement, NotMeasured, Unmeasured
from basewright.quantity import megabytes
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "application_edit_seconds"


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    build = evidence.build
    if isinstance(build, NotMeasured):
        return Unmeasured(driver=DriverName.BUILD_PERFORMANCE, reason=build.reason)
    samples = normalised(
        build.application_edit_ratios, build.application_edit_round_median, build.application_edit_seconds
    )
    if not samples:
        return Unmeasured(
            driver=DriverName.BUILD_PERFORMANCE, reason="no rebuild after an edit was timed", also=_also(build)
        )
    return Measurement(
        driver=DriverName.BUILD_PERFORMANCE,
        measure=_HEADLINE,
        value=statistics.median(samples),
        unit="s",
        better=Better.LESS,
        basis=(Basis.MEASURED,),
        interval=median_interval(samples),
        samples=samples,
        also=_also(build),
    )


def _also(build: BuildFacts) -> dict[str, Also]:
    pushed = build.push_bytes_after_edit
    dependency_edit = normalised(
        build.dependency_edit_ratios, build.dependency_edit_round_median, build.dependency_edit_seconds
    )
    return {
        "cold_build_seconds": exact_also(build.cold_seconds, "s"),
        "download_seconds": exact_also(build.download_seconds, "s"),
        "dependency_edit_seconds": median_also(dependency_edit, "s"),
        "build_cpu_seconds": exact_also(build.cpu_seconds, "s"),
        "push_size_after_edit": exact_also(None if pushed is None else megabytes(pushed), "MB"),
    }


BUILD_PERFORMANCE = Driver(
    name=DriverName.BUILD_PERFORMANCE,
    headline=_HEADLINE,
    unit="s",
    better=Better.LESS,
    value=ValueFunction(one=0.5, zero=60, scale="log"),
    docs="Seconds from an edit of the application to the written layer, warm, the same compressor for all: the median "
    "over rounds of the ratio to the round's median, in seconds of the median round.",
    further={
        "cold_build_seconds": Further(unit="s", means="the first build, without downloads"),
        "download_seconds": Further(unit="s", means="what the first build waited for the network"),
        "dependency_edit_seconds": Further(unit="s", means="the same after an edit of the dependencies"),
        "build_cpu_seconds": Further(unit="s", means="CPU time of the first build"),
        "push_size_after_edit": Further(unit="MB", means="compressed bytes to push after an edit of the application"),
    },
    measure=_measure,
)
