"""How each fault of a strategy is told."""

from pathlib import Path

import pytest

from basewright.errors import ExitCode, InputError
from basewright.strategy import DriverName
from basewright.strategy_file import parse_strategy
from tests.test_strategy import LEAST

SECOND = """
[[candidate]]
name = "python-slim"
app = { python = "python" }
base = "python:3.13-slim"
"""


def fault(text: str | bytes) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        parse_strategy(text.encode() if isinstance(text, str) else text, Path("/repository/basewright.toml"))
    assert caught.value.exit_code is ExitCode.FIX_INPUT
    assert caught.value.message.startswith("basewright.toml: ")
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix("basewright.toml: "), caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "not TOML: Expected '=' after a key in a key/value pair (at end of document)"),
        (LEAST + "[service]\n", "not TOML: Cannot declare ('service',) twice (at line 10, column 9)"),
        (b"a = 1\nb = '\xff'\n", "line 2 is not UTF-8"),
        ("a = " + "[" * 5000, "its lists or tables are nested too deep"),
        ("a = " + "9" * 5000, "a number in it is too long"),
        ("", "the required key `service` is missing"),
        (LEAST.partition("[[")[0], "the required key `candidate` is missing"),
        (
            "candidate = []\n" + LEAST.partition("[[")[0],
            "candidate: expected one table `[[candidate]]` or more, not an empty list",
        ),
        (
            LEAST.replace("[[candidate]]", "[candidate]"),
            "candidate: expected `[[candidate]]`, a list, not `[candidate]`",
        ),
        ("service = 3\n[[" + LEAST.partition("[[")[2], "service: expected a table, not 3"),
    ],
)
def test_a_file_that_is_no_strategy(text: str | bytes, message: str) -> None:
    assert fault(text)[0] == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('port = "80"', 'service.port: expected a whole number from 1 up to 65535, not "80"'),
        ("port = 0", "service.port: expected a whole number from 1 up to 65535, not 0"),
        ("port = true", "service.port: expected a whole number from 1 up to 65535, not true"),
        ("port = 1.5", "service.port: expected a whole number from 1 up to 65535, not 1.5"),
        ("", "service: the required key `port` is missing"),
        (
            'port = 1\nhealth = "healthz"',
            'service.health: expected a path that starts with `/`, without spaces, not "healthz"',
        ),
        (
            'port = 1\nload = ["/a", "b"]',
            'service.load[1]: expected a path that starts with `/`, without spaces, not "b"',
        ),
        (
            'port = 1\nload = "/a"',
            'service.load: expected a list, each item a path that starts with `/`, without spaces, not "/a"',
        ),
        (
            'port = 1\ncommand = "uvicorn x"',
            'service.command: expected a list, each item text without a NUL, not "uvicorn x"',
        ),
        ('port = 1\ncommand = [""]', 'service.command[0]: expected the name of a program, not ""'),
        ('port = 1\ncommand = ["a\\u0000"]', 'service.command[0]: expected text without a NUL, not "a\\x00"'),
        ("port = 1\nstart-timeout = 30", "service.start-timeout: expected text, not 30"),
        (
            'port = 1\nstart-timeout = "30"',
            "service.start-timeout: expected a time such as `30 s` (ms, s, min, h), not '30'",
        ),
        ('port = 1\nstart-timeout = "0 s"', "service.start-timeout: expected a time above zero, not '0 s'"),
        ("port = 1\nenv = 3", "service.env: expected a table, not 3"),
        ('port = 1\nenv = { "A-B" = "x" }', 'service.env: "A-B" is not the name of a variable'),
        ('port = 1\nenv = { A = "x\\u0000" }', "service.env.A: expected text without a NUL"),
        ("port = 1\nenv = { WORKERS = 8 }", "service.env.WORKERS: expected text without a NUL"),
    ],
)
def test_faults_of_the_service(line: str, message: str) -> None:
    assert fault(LEAST.replace("port = 8000", line))[0] == message


def test_an_error_about_a_variable_does_not_show_its_value() -> None:
    message, hint = fault(LEAST.replace("port = 8000", "port = 1\nenv = { TOKEN = 31337 }"))
    assert "31337" not in message + hint
    message, hint = fault(LEAST.replace("port = 8000", 'port = 1\nenv = { TOKEN = "secret\\u0000" }'))
    assert "secret" not in message + hint


@pytest.mark.parametrize("name", ["", "Calendar", "a b", "../x", "-a", "a\\n", "x" * 64, "é"])
def test_names_that_are_none(name: str) -> None:
    assert fault(LEAST.replace("calendar-api", name))[0].startswith(
        "service.name: expected a name of lower-case letters"
    )
    message = fault(LEAST.replace("go-alpine", name))[0]
    assert message.startswith("candidate[0].name")
    assert "expected a name of lower-case letters" in message


APP = '{ python = "folder" } or { go = "folder" }'
BASE = '"image:tag", "scratch", { debian = "suite", packages = [...] } or { archive = "path" }'


@pytest.mark.parametrize(
    ("before", "after", "place", "message"),
    [
        ("app = { go = 'go' }", "", "", "the required key `app` is missing"),
        ("app = { go = 'go' }", "app = 'go'", ".app", f'expected {APP}, not "go"'),
        ("app = { go = 'go' }", "app = {}", ".app", f"expected {APP}, not an empty table"),
        ("app = { go = 'go' }", "app = { rust = 'r' }", ".app", f"expected {APP}, not a table with `rust`"),
        ("app = { go = 'go' }", "app = { go = 'g', python = 'p' }", ".app", f"expected {APP}, not both"),
        (
            "app = { go = 'go' }",
            "app = { go = 3 }",
            ".app.go",
            "expected text that is not empty and has no control characters, not 3",
        ),
        (
            "app = { go = 'go' }",
            "app = { go = '' }",
            ".app.go",
            'expected text that is not empty and has no control characters, not ""',
        ),
        ("app = { go = 'go' }", "app = { go = 'g', requirements = 'r' }", ".app", "there is no key `requirements`"),
        ("base = 'scratch'", "", "", "the required key `base` is missing"),
        ("base = 'scratch'", "base = 7", ".base", f"expected {BASE}, not 7"),
        ("base = 'scratch'", "base = ''", ".base", f'expected {BASE}, not ""'),
        (
            "base = 'scratch'",
            "base = 'Python:3'",
            ".base",
            "'Python:3' is not an image reference: its repository is not in lower case",
        ),
        ("base = 'scratch'", "base = { image = 'x' }", ".base", f"expected {BASE}, not a table with `image`"),
        (
            "base = 'scratch'",
            "base = { debian = 'x', archive = 'y' }",
            ".base",
            f"expected {BASE}, not both tables in one",
        ),
        ("base = 'scratch'", "base = { debian = 'trixie' }", ".base", "the required key `packages` is missing"),
        (
            "base = 'scratch'",
            "base = { debian = 'trixie', packages = [] }",
            ".base.packages",
            "expected a package or more, not an empty list",
        ),
        (
            "base = 'scratch'",
            "base = { debian = 'trixie', packages = 'a' }",
            ".base.packages",
            'expected a list, each item the name of a package, not "a"',
        ),
        (
            "base = 'scratch'",
            "base = { debian = 'trixie', packages = ['a', 'B!'] }",
            ".base.packages[1]",
            'expected the name of a package, not "B!"',
        ),
        (
            "base = 'scratch'",
            "base = { debian = 'Trixie', packages = ['a'] }",
            ".base.debian",
            'expected the name of a suite such as `trixie`, not "Trixie"',
        ),
        ("base = 'scratch'", "base = 'scratch'\nbytecode = 'none'", ".bytecode", "is for Python apps"),
        (
            "base = 'scratch'",
            "base = 'scratch'\nbytecode = 'maybe'",
            ".bytecode",
            'expected one of compiled, none, not "maybe"',
        ),
        (
            "base = 'scratch'",
            "base = 'scratch'\ncommand = ['x']",
            ".command",
            "is for Python apps; a Go candidate runs its binary",
        ),
        (
            "base = 'scratch'",
            "base = 'scratch'\nruntime-packages = ['a b']",
            ".runtime-packages[0]",
            'expected the name of a package, not "a b"',
        ),
        ("app = { go = 'go' }", "app = { python = 'p' }\narguments = ['x']", ".arguments", "is for Go apps"),
        (
            "app = { go = 'go' }",
            "app = { python = 'p' }\ntoolchain = 'golang:1.24'",
            ".toolchain",
            "is for Go apps; a Python app runs on its base's interpreter",
        ),
        ("name = 'three'", "name = 'python-slim'", ".name", "is the name of candidate[1] too"),
    ],
)
def test_faults_of_a_candidate_name_it(before: str, after: str, place: str, message: str) -> None:
    third = "[[candidate]]\nname = 'three'\napp = { go = 'go' }\nbase = 'scratch'\n"
    name = "python-slim" if "python-slim" in after else "three"
    text = LEAST + SECOND + third.replace(before, after)
    assert fault(text)[0] == f'candidate[2]{place} (candidate "{name}"): {message}'


def test_a_file_in_place_of_a_reference_says_how_it_is_named() -> None:
    for path in ("./rootfs.tar.gz", "/srv/base.tar", "../layout"):
        assert (
            fault(LEAST.replace("alpine:3.18", path))[1]
            == f'for a file or a folder say base = {{ archive = "{path}" }}'
        )


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (LEAST.replace("[[candidate]]", "[[candidates]]"), "there is no key `candidates`", "did you mean `candidate`?"),
        (LEAST.replace("port =", "prt = 1\nport ="), "service: there is no key `prt`", "did you mean `port`?"),
        (
            LEAST + 'basis = "x"\n',
            'candidate[0] (candidate "go-alpine"): there is no key `basis`',
            "did you mean `base`?",
        ),
        (
            LEAST + "[drivers.image_size]\nwheight = 1\n",
            "drivers.image_size: there is no key `wheight`",
            "did you mean `weight`?",
        ),
        (
            LEAST + "[bench]\nzzz = 1\n",
            "bench: there is no key `zzz`",
            "the keys here: concurrency, rate, duration, rounds, memory, processes",
        ),
        (
            LEAST + "[drivers.imagesize]\n",
            "drivers.imagesize: there is no such driver",
            "drivers: " + ", ".join(DriverName),
        ),
        (
            LEAST + "[drivers.vulnerability_surface]\n",
            "drivers.vulnerability_surface: there is no such driver",
            "drivers: " + ", ".join(DriverName),
        ),
        (
            LEAST + "runtime_packages = []\n",
            'candidate[0] (candidate "go-alpine"): there is no key `runtime_packages`',
            "did you mean `runtime-packages`?",
        ),
    ],
)
def test_keys_that_there_are_not(text: str, place: str, hint: str) -> None:
    assert fault(text) == (place, hint)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[drivers]\nimage_size = 3", "drivers.image_size: expected a table, not 3"),
        ("[drivers.image_size]\nweight = -1", "drivers.image_size.weight: expected a number from 0 up to 1000, not -1"),
        (
            "[drivers.image_size]\nweight = nan",
            "drivers.image_size.weight: expected a number from 0 up to 1000, not nan",
        ),
        (
            "[drivers.image_size]\nweight = '3'",
            'drivers.image_size.weight: expected a number from 0 up to 1000, not "3"',
        ),
        (
            "[drivers.image_size]\nrequire = '150 MB'",
            'drivers.image_size.require: expected an operator and a quantity such as `<= 150 MB`, not "150 MB"',
        ),
        (
            "[drivers.image_size]\nrequire = '<= small'",
            'drivers.image_size.require: expected an operator and a quantity such as `<= 150 MB`, not "<= small"',
        ),
        ("[drivers.image_size]\nvalue = { one = 1 }", "drivers.image_size.value: the required key `zero` is missing"),
        (
            "\n".join(f"[drivers.{each}]\nweight = 0" for each in DriverName),
            "drivers: every driver has weight 0, so nothing could be ranked",
        ),
        (
            "[decision]\nprevious-date = 'June'",
            'decision.previous-date: expected a date such as 2025-06-06, not "June"',
        ),
        (
            "[decision]\nprevious-date = 2025-06-06T10:00:00",
            "decision.previous-date: expected a date such as 2025-06-06, not 2025-06-06 10:00:00",
        ),
        (
            "[target]\nplatforms = ['linux/arm']",
            'target.platforms[0]: expected one of linux/amd64, linux/arm64, not "linux/arm"',
        ),
        ("[target]\nplatforms = ['linux/arm64', 'linux/arm64']", "target.platforms: a platform stands here twice"),
        ("[bench]\nrounds = 0", "bench.rounds: expected a whole number from 1 up to 100, not 0"),
        ("[bench]\nrate = 0", "bench.rate: expected a number above 0 up to 100000, not 0"),
        (
            "[bench]\nmemory = '2 gb'",
            "bench.memory: expected bytes such as `512 MiB` (B, kB, KB, MB, GB, KiB, MiB, GiB), not '2 gb'",
        ),
        ("[bench]\nmemory = '0 MiB'", 'bench.memory: expected more than zero, not "0 MiB"'),
        ("[bench]\nduration = '-1 s'", "bench.duration: expected a number with its unit, not '-1 s'"),
    ],
)
def test_faults_of_the_other_tables(table: str, message: str) -> None:
    assert fault(f"{LEAST}\n{table}\n")[0] == message


def test_what_stands_there_is_shown_in_measure_and_cannot_write_to_the_terminal() -> None:
    message = fault(
        LEAST.replace("/repository", "").replace(
            '"alpine:3.18"', '{ debian = "\\u001b[31m' + "x" * 500 + '", packages = ["a"] }'
        )
    )[0]
    assert "\x1b" not in message
    assert len(message) < 200
