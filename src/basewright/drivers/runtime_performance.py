"""runtime_performance: what the service costs in CPU, and how it answers."""

import statistics

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also, median_also, median_interval, normalised
from basewright.facts import Also, Basis, Evidence, Measurement, NotMeasured, RunFacts, RunSample, Unmeasured
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "cpu_seconds_per_1000_requests"
_CPU_FIELD = "cpu_seconds_per_1000"
_FURTHER = {
    "start_seconds": Further(unit="s", means="from exec to the first healthy answer"),
    "requests_per_second": Further(unit="requests/s", means="throughput in the closed loop"),
    "p50_ms": Further(unit="ms", means="median latency at the constant arrival rate, from the intended send"),
    "p99_ms": Further(unit="ms", means="99th percentile of the same; too noisy on shared machines to rank by itself"),
}


def run_samples(run: RunFacts, field: str) -> tuple[float, ...]:
    """One field of RunSample over the rounds, normalised by round. Rounds in which it was not measured are left out."""
    plain = (_field(sample, field) for sample in run.samples)
    return normalised(run.ratios.get(field, ()), run.round_medians.get(field), plain)


def _field(sample: RunSample, field: str) -> float | None:
    value = getattr(sample, field)
    return float(value) if isinstance(value, (int, float)) else None


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    run = evidence.run
    if isinstance(run, NotMeasured):
        return Unmeasured(driver=DriverName.RUNTIME_PERFORMANCE, reason=run.reason)
    samples = run_samples(run, _CPU_FIELD)
    if not samples:
        return Unmeasured(driver=DriverName.RUNTIME_PERFORMANCE, reason="no round of load was measured")
    return Measurement(
        driver=DriverName.RUNTIME_PERFORMANCE,
        measure=_HEADLINE,
        value=statistics.median(samples),
        unit="s",
        better=Better.LESS,
        basis=(Basis.MEASURED,),
        interval=median_interval(samples),
        samples=samples,
        also=_also(run),
    )


def _also(run: RunFacts) -> dict[str, Also]:
    also = {name: median_also(run_samples(run, name), further.unit) for name, further in _FURTHER.items()}
    return also | {
        "rounds": exact_also(len(run.samples)),
        "repeated_rounds": exact_also(run.repeated_rounds),
        "bad_answers": exact_also(sum(sample.bad for sample in run.samples)),
        "runner": exact_also(run.runner),
        "counters": exact_also(run.counters),
    }


RUNTIME_PERFORMANCE = Driver(
    name=DriverName.RUNTIME_PERFORMANCE,
    headline=_HEADLINE,
    unit="s",
    better=Better.LESS,
    value=ValueFunction(one=0.02, zero=5, scale="log"),
    docs="CPU seconds per 1,000 requests at the stated concurrency, start-up and warm-up left out: the median over "
    "rounds of the ratio to the round's median, in seconds of the median round. Latency and throughput are shown; "
    "p99 never ranks by itself.",
    further={name: further for name, further in _FURTHER.items() if name != "p99_ms"},
    measure=_measure,
)
