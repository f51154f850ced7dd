"""resource_efficiency: what a month of the smallest Fargate task that carries the load costs."""

import statistics

import msgspec

from basewright.drivers.driver import Better, Driver, DriverContext, Further
from basewright.drivers.rounds import exact_also, median_also, median_interval
from basewright.drivers.runtime_performance import run_samples
from basewright.facts import Also, Basis, Evidence, Measurement, NotMeasured, RunFacts, Unmeasured
from basewright.fargate import Architecture, FargateFacts, TaskSize, headroom, monthly_price, smallest_task
from basewright.quantity import megabytes
from basewright.strategy import DriverName, ValueFunction

_HEADLINE = "monthly_price"
CPU_FREE = 0.3
"""Share of a task's CPU that the load leaves free: services are usually scaled out at 70 %."""
MEMORY_FREE = 0.2
"""Share of a task's memory that the highest peak leaves free: what goes over it is killed."""


class _Need(msgspec.Struct, frozen=True, kw_only=True):
    """Of a task, headroom included: vCPU by round, and bytes for the highest peak of all rounds."""

    vcpu: tuple[float, ...]
    memory_bytes: int

    @property
    def median_vcpu(self) -> float:
        return statistics.median(self.vcpu)


def _measure(evidence: Evidence, context: DriverContext) -> Measurement | Unmeasured:
    run = evidence.run
    if isinstance(run, NotMeasured):
        return _unmeasured(run.reason)
    need = _need(run, context.bench.rate)
    if need is None:
        return _unmeasured("no round of load was measured")
    also = _also(run, need)
    if isinstance(context.fargate, NotMeasured):
        return _unmeasured(context.fargate.reason, also)
    size = smallest_task(need.median_vcpu, need.memory_bytes, context.fargate.sizes)
    if size is None:
        return _unmeasured(
            f"no Fargate task has {need.median_vcpu:.3g} vCPU and {megabytes(need.memory_bytes):,.0f} MB, "
            f"which {context.bench.rate:g} requests a second would take",
            also,
        )
    architecture = Architecture(evidence.platform.partition("/")[2])
    price = monthly_price(size, context.fargate, architecture)
    if isinstance(price, NotMeasured):
        return _unmeasured(price.reason, also | _task(size, need))
    return Measurement(
        driver=DriverName.RESOURCE_EFFICIENCY,
        measure=_HEADLINE,
        value=price,
        unit="USD",
        better=Better.LESS,
        basis=(Basis.MODELLED, Basis.MEASURED),
        interval=_interval(need, context.fargate, architecture),
        samples=_samples(need, context.fargate, architecture) or (price,),
        also=also | _task(size, need),
    )


def _unmeasured(reason: str, also: dict[str, Also] | None = None) -> Unmeasured:
    return Unmeasured(driver=DriverName.RESOURCE_EFFICIENCY, reason=reason, also=also or {})


def _need(run: RunFacts, rate: float) -> _Need | None:
    cpu = run_samples(run, "cpu_seconds_per_1000")
    peaks = run_samples(run, "peak_bytes")
    if not cpu or not peaks:
        return None
    return _Need(
        vcpu=tuple(rate * each / 1000 / (1 - CPU_FREE) for each in cpu),
        memory_bytes=round(max(peaks) / (1 - MEMORY_FREE)),
    )


def _price(vcpu: float, need: _Need, fargate: FargateFacts, architecture: Architecture) -> float | None:
    size = smallest_task(vcpu, need.memory_bytes, fargate.sizes)
    price = None if size is None else monthly_price(size, fargate, architecture)
    return price if isinstance(price, float) else None


def _samples(need: _Need, fargate: FargateFacts, architecture: Architecture) -> tuple[float, ...]:
    """One price a round; a single one where every round asks for the same task."""
    prices = [_price(vcpu, need, fargate, architecture) for vcpu in need.vcpu]
    known = tuple(price for price in prices if price is not None)
    return known[:1] if len(set(known)) == 1 else known


def _interval(need: _Need, fargate: FargateFacts, architecture: Architecture) -> tuple[float, float] | None:
    """The prices at both ends of the CPU's interval; None where they are the same, so that the step is a fact."""
    ends = median_interval(need.vcpu)
    if ends is None:
        return None
    low, high = (_price(end, need, fargate, architecture) for end in ends)
    return (low, high) if low is not None and high is not None and low < high else None


def _also(run: RunFacts, need: _Need) -> dict[str, Also]:
    return {
        "peak_memory": median_also([megabytes(each) for each in run_samples(run, "peak_bytes")], "MB"),
        "idle_memory": median_also([megabytes(each) for each in run_samples(run, "idle_bytes")], "MB"),
        "idle_cpu": median_also([100 * each for each in run_samples(run, "idle_cpu_share")], "%"),
        "vcpu_needed": median_also(need.vcpu, "vCPU"),
        "memory_needed": exact_also(megabytes(need.memory_bytes), "MB"),
        "cpu_kept_free": exact_also(100 * CPU_FREE, "%", Basis.MODELLED),
        "memory_kept_free": exact_also(100 * MEMORY_FREE, "%", Basis.MODELLED),
    }


def _task(size: TaskSize, need: _Need) -> dict[str, Also]:
    """The task that was chosen, and what it really leaves free of the load without headroom."""
    free = headroom(size, need.median_vcpu * (1 - CPU_FREE), round(need.memory_bytes * (1 - MEMORY_FREE)))
    return {
        "task": exact_also(str(size), basis=Basis.MODELLED),
        "cpu_headroom": exact_also(100 * free.cpu, "%", Basis.MODELLED),
        "memory_headroom": exact_also(100 * free.memory, "%", Basis.MODELLED),
    }


RESOURCE_EFFICIENCY = Driver(
    name=DriverName.RESOURCE_EFFICIENCY,
    headline=_HEADLINE,
    unit="USD",
    better=Better.LESS,
    value=ValueFunction(one=9, zero=150, scale="log"),
    docs="USD for 730 hours of the smallest Fargate task that carries the strategy's arrival rate with 30 % of its CPU "
    "and, at the highest peak of memory, 20 % of its memory left free, at the shipped on-demand price of the region.",
    further={
        "peak_memory": Further(unit="MB", means="median of the rounds' peaks under load"),
        "idle_memory": Further(unit="MB", means="memory at rest"),
        "idle_cpu": Further(unit="%", means="CPU at rest, of one core"),
        "vcpu_needed": Further(unit="vCPU", means="CPU that the load takes, headroom included"),
        "memory_needed": Further(unit="MB", means="memory that the highest peak takes, headroom included"),
        "cpu_headroom": Further(unit="%", means="CPU of the task that the load leaves free"),
        "memory_headroom": Further(unit="%", means="memory of the task that the highest peak leaves free"),
    },
    measure=_measure,
)
