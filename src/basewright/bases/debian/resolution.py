"""Which packages a set needs: Depends and Pre-Depends with versions, alternatives, virtual packages, conflicts.

Like apt without recommendations: the newest version of a name, the first alternative that can be had, one that is
chosen already before any other. Essential packages are not implied: an image needs no package manager to run a service.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from basewright.bases.debian.index import Package, Universe
from basewright.ecosystems.dpkg import Relation
from basewright.errors import InputError

MAX_STEPS = 200_000
ANY_PACKAGE = "*"
SCRIPT_DEPENDENCIES: Mapping[str, tuple[str, ...]] = {
    ANY_PACKAGE: (
        "adduser",
        "debconf",
        "debconf-2.0",
        "dpkg",
        "init-system-helpers",
        "install-info",
        "lsb-base",
        "systemd-standalone-sysusers",
        "systemd-sysusers",
        "sysuser-helper",
        "ucf",
        "update-inetd",
    ),
    "base-files": ("awk", "mawk"),
    "ca-certificates": ("openssl",),
}
"""Package → dependencies that only its maintainer scripts use. No script is run here, so they are left out, unless dpkg
itself is among the packages: then the database must be whole."""


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a set resolved to. `packages` are by name; `left_out` are the dependencies that were excluded."""

    packages: tuple[Package, ...]
    left_out: tuple[str, ...]


class _Need(msgspec.Struct, frozen=True, kw_only=True):
    """A group of alternatives, of which `parent` (empty: the user) needs one."""

    parent: str
    group: tuple[Relation, ...]

    def __str__(self) -> str:
        return " | ".join(str(each) for each in self.group)


class _Choice(msgspec.Struct, kw_only=True):
    """A decision that can be taken back: what else would do, and how things stood before it."""

    need: _Need
    options: list[Package]
    chosen: dict[str, Package]
    parents: dict[str, _Need]
    hard: list[_Need]
    soft: list[_Need]


def resolve(
    universe: Universe, requested: Sequence[str], *, excluded: Iterable[str] = (), scripts_too: bool = False
) -> Resolution:
    """The packages that `requested` needs. `scripts_too` keeps what only maintainer scripts use.

    Raises InputError where a name is not a package (with names that are near) or the set cannot be satisfied (with the
    chain of packages that leads there).
    """
    search = _Search(universe, frozenset(excluded), scripts_too=scripts_too)
    search.require(requested)
    search.run()
    packages = tuple(search.chosen[name] for name in sorted(search.chosen))
    provided = {each.name for package in packages for each in package.provides} | search.chosen.keys()
    return Resolution(packages=packages, left_out=tuple(sorted(search.left_out - provided)))


class _Search:
    """Depth-first over the alternatives: what has one answer is taken first, then the choices, in order."""

    def __init__(self, universe: Universe, excluded: frozenset[str], *, scripts_too: bool) -> None:
        self._universe = universe
        self._excluded = excluded
        self._scripts_too = scripts_too
        self.chosen: dict[str, Package] = {}
        self._parents: dict[str, _Need] = {}
        self._hard: deque[_Need] = deque()
        self._soft: deque[_Need] = deque()
        self._choices: list[_Choice] = []
        self._first_fault: InputError | None = None
        self.left_out: set[str] = set()

    def require(self, requested: Sequence[str]) -> None:
        """Takes what the user named, before anything that it needs."""
        for name in requested:
            need = _Need(parent="", group=(Relation(name=name),))
            package = self._requested(name)
            fault = self._conflict(package)
            if fault:
                raise InputError(f"the packages cannot be installed together: {fault}")
            self._take(package, need)

    def _requested(self, name: str) -> Package:
        package = self._universe.package(name)
        if package is not None:
            return package
        providers = self._universe.providers(name)
        if len(providers) == 1:
            return providers[0]
        where = f"{self._universe.suite} ({self._universe.architecture})"
        if providers:
            names = ", ".join(each.name for each in providers[:6])
            raise InputError(f"{name} is a virtual package of {where}", hint=f"name one that provides it: {names}")
        near = self._universe.near(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "look it up on packages.debian.org"
        raise InputError(f"there is no package {name} in {where}", hint=hint)

    def run(self) -> None:
        """Satisfies every need, or raises the first fault that was met."""
        for _ in range(MAX_STEPS):
            if self._hard:
                need = self._hard.popleft()
            elif self._soft:
                need = self._soft.popleft()
            else:
                return
            if not self._satisfied(need.group):
                self._satisfy(need)
        raise InputError("the packages have too many alternatives to find a set that fits", hint="name more of them")

    def _satisfy(self, need: _Need) -> None:
        options = list(self._options(need.group))
        free = [each for each in options if not self._conflict(each)]
        if not free:
            self._back(self._fault(need, options))
            return
        if len(free) > 1:
            self._choices.append(
                _Choice(
                    need=need,
                    options=free[1:],
                    chosen=dict(self.chosen),
                    parents=dict(self._parents),
                    hard=list(self._hard),
                    soft=list(self._soft),
                )
            )
        self._take(free[0], need)

    def _back(self, fault: InputError) -> None:
        """Takes back the last choice that has another option, else gives up."""
        self._first_fault = self._first_fault or fault
        while self._choices:
            choice = self._choices[-1]
            option = choice.options.pop(0) if choice.options else None
            if option is None:
                self._choices.pop()
                continue
            self.chosen, self._parents = dict(choice.chosen), dict(choice.parents)
            self._hard, self._soft = deque(choice.hard), deque(choice.soft)
            self._take(option, choice.need)
            return
        raise self._first_fault

    def _take(self, package: Package, need: _Need) -> None:
        if package.name in self.chosen:
            return
        self.chosen[package.name] = package
        self._parents[package.name] = need
        for group in package.depends:
            if self._left_out(package, group):
                self.left_out.update(each.name for each in group)
            elif len(group) == 1 and self._universe.package(group[0].name) is not None:
                self._hard.append(_Need(parent=package.name, group=group))
            else:
                self._soft.append(_Need(parent=package.name, group=group))

    def _left_out(self, package: Package, group: tuple[Relation, ...]) -> bool:
        """Whether a need is not met on purpose. What is excluded counts as if it were there."""
        for each in group:
            if not self._scripts_too and each.name in self._for_scripts(package.name):
                return True
            if each.name in self._excluded or any(
                _answers(other, each) for other in self._universe.providers(each.name) if other.name in self._excluded
            ):
                return True
        return False

    @staticmethod
    def _for_scripts(name: str) -> tuple[str, ...]:
        return SCRIPT_DEPENDENCIES[ANY_PACKAGE] + SCRIPT_DEPENDENCIES.get(name, ())

    def _satisfied(self, group: tuple[Relation, ...]) -> bool:
        for each in group:
            package = self.chosen.get(each.name)
            if package is not None and _answers(package, each):
                return True
            for other in self._universe.providers(each.name):
                if other.name in self.chosen and _answers(other, each):
                    return True
        return False

    def _options(self, group: tuple[Relation, ...]) -> Iterator[Package]:
        """What would satisfy a group, in the order in which it is tried."""
        seen = set()
        for relation in group:
            package = self._universe.package(relation.name)
            found = [package] if package is not None and _answers(package, relation) else []
            for each in (*found, *self._universe.providers(relation.name)):
                if each.name not in seen and each.name not in self._excluded and _answers(each, relation):
                    seen.add(each.name)
                    if each.name not in self.chosen:
                        yield each

    def _conflict(self, package: Package) -> str:
        """Why `package` cannot stand beside what is chosen, in a few words; empty where it can."""
        against = {each.name for each in package.conflicts}
        names = {package.name, *(each.name for each in package.provides)}
        for other in self.chosen.values():
            if other.name == package.name:
                continue
            if other.name in against or any(each.name in against for each in other.provides):
                hit = next((each for each in package.conflicts if _hits(other, each)), None)
                if hit is not None:
                    return _clash(package, other, hit)
            hit = next((each for each in other.conflicts if each.name in names and _hits(package, each)), None)
            if hit is not None:
                return _clash(other, package, hit)
        return ""

    def _fault(self, need: _Need, options: list[Package]) -> InputError:
        """The chain that leads to a need that cannot be met, and why it cannot."""
        chain = [str(need)]
        name = need.parent
        while name and len(chain) < 50:
            chain.append(name)
            name = self._parents[name].parent
        text = " → ".join(reversed(chain))
        if options:
            return InputError(f"the packages cannot be installed together: {text}: {self._conflict(options[0])}")
        have = next((found for each in need.group if (found := self._universe.package(each.name))), None)
        where = f"{self._universe.suite} ({self._universe.architecture})"
        why = f"{where} has {have.name} {have.version}" if have is not None else f"{where} has no such package"
        return InputError(f"the packages cannot be installed: {text}, which is not available: {why}")


def _answers(package: Package, relation: Relation) -> bool:
    """Whether a package satisfies a relation, by its own name or one that it provides."""
    is_native = relation.qualifier in ("", "native", package.architecture)
    if not is_native and (relation.qualifier != "any" or (package.name == relation.name and not package.allows_any)):
        return False
    if package.name == relation.name and relation.accepts(package.version):
        return True
    return any(
        each.name == relation.name
        and (not relation.operator or (bool(each.version) and relation.accepts(each.version)))
        for each in package.provides
    )


def _clash(one: Package, other: Package, hit: Relation) -> str:
    return f"{one.name} {one.version} conflicts with {hit}, which {other.name} {other.version} is"


def _hits(package: Package, against: Relation) -> bool:
    """Whether a Conflicts or Breaks relation is about this package."""
    return _answers(package, msgspec.structs.replace(against, qualifier=""))
