"""What a program in the sandbox sees, may do and may not do."""

import json
from pathlib import Path

import pytest
from tests.doubles.python_root import INTERPRETER

from basewright._process import Completed, HostProcess
from basewright.errors import InputError, OutOfReachError
from basewright.runner.runner import Bind, Limits
from basewright.runner.sandbox import Sandbox


def run(sandbox: Sandbox, root: Path, code: str, *, user: str = "", stdin: bytes = b"") -> Completed:
    return sandbox.run_program(
        root, [INTERPRETER, "-I", "-c", code], process=HostProcess(), env={}, timeout_seconds=30, user=user, stdin=stdin
    )


def test_streams_status_and_environment(sandbox: Sandbox, python_root: Path) -> None:
    code = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1]); sys.stderr.write(os.environ['A'])"
    completed = sandbox.run_program(
        python_root,
        [INTERPRETER, "-I", "-c", code + "; sys.exit(7)"],
        process=HostProcess(),
        env={"A": "b c"},
        timeout_seconds=30,
        stdin=b"abc" * 1_000_000,
    )
    assert completed.returncode == 7
    assert completed.stdout == b"cba" * 1_000_000
    assert completed.stderr == b"b c"


def test_runs_as_the_images_user_with_nothing_of_the_hosts(sandbox: Sandbox, python_root: Path) -> None:
    code = """if True:
        import json, os
        status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        print(json.dumps({
            "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
            "effective": int(status["CapEff"], 16), "bounding": int(status["CapBnd"], 16),
            "no_new_privs": status["NoNewPrivs"].strip(), "umask": status["Umask"].strip(),
            "session": os.getsid(0) == os.getpid(),
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "interfaces": [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]],
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:3],
            "environment": sorted(os.environ), "name": os.uname().nodename, "ppid": os.getppid(),
        }))
    """
    seen = json.loads(run(sandbox, python_root, code, user="1234:2345").stdout)
    assert seen["ids"] == [1234, 1234, 2345, 2345]
    assert seen["effective"] == 0
    # CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE
    assert seen["bounding"] == sum(1 << number for number in (0, 1, 3, 4, 5, 6, 7, 10))
    assert (seen["no_new_privs"], seen["umask"], seen["session"]) == ("1", "0022", True)
    assert seen["interfaces"] == ["lo"]
    assert seen["environment"] == ["HOME", "PATH"]
    assert seen["name"] == "basewright"
    if seen["ppid"] == 1:  # else the kernel refused a fresh /proc, and the host's is shown
        assert seen["processes"] == [1, 2]


def test_an_images_root_user_cannot_write_to_its_root(sandbox: Sandbox, python_root: Path) -> None:
    code = """if True:
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def remount(flags):
            libc.mount(b"none", b"/", None, flags, None)
        def write(where):
            try:
                open("/planted", "w").close()
                print("wrote", where)
            except OSError as error:
                print(error.strerror)
        write("at once")
        remount(32); remount(32 | 4096)
        write("after a remount")
        libc.unshare(0x10000000); libc.unshare(0x00020000)
        remount(32); remount(32 | 4096)
        write("in namespaces of its own")
        for path, mode in (("/dev/null", 0o600), ("/proc/sys/kernel/hostname", 0o600)):
            try:
                os.chmod(path, mode)
                print("changed", path)
            except OSError as error:
                print("kept")
        try:
            os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0))
            print("made a device")
        except OSError:
            print("kept")
        try:
            os.readlink("/proc/1/root")
            print("saw the host")
        except OSError:
            print("kept")
        open("/tmp/room", "w").write("x"); open("/dev/shm/room", "w").write("x"); open("/dev/null", "w").write("x")
    """
    before = Path("/dev/null").stat()
    completed = run(sandbox, python_root, code, user="0")
    assert completed.returncode == 0, completed.stderr.decode()
    assert completed.stdout.decode().splitlines() == ["Read-only file system"] * 3 + ["kept"] * 4
    assert not (python_root / "planted").exists()
    assert Path("/dev/null").stat() == before


def test_of_the_hosts_paths_only_the_images_are_there(sandbox: Sandbox, python_root: Path) -> None:
    code = """if True:
        import json, os
        root = next(line.split() for line in open("/proc/self/mounts") if line.split()[1] == "/")
        print(json.dumps([os.listdir("/"), root[3].split(",")]))
    """
    names, flags = json.loads(run(sandbox, python_root, code).stdout)
    assert {"proc", "dev", "tmp", "etc"} <= set(names)
    assert not {"home", "boot", "mnt"} & set(names)
    assert {"ro", "nosuid", "nodev"} <= set(flags)


def test_a_bind_shows_a_directory_of_the_host(sandbox: Sandbox, python_root: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "given").write_text("given")
    completed = sandbox.run_program(
        python_root,
        [INTERPRETER, "-I", "-c", "open('/tmp/out/made', 'w').write(open('/tmp/given/given').read())"],
        process=HostProcess(),
        env={},
        timeout_seconds=30,
        binds=[
            Bind(source=tmp_path / "work", target="/tmp/out", writable=True),
            Bind(source=tmp_path, target="/tmp/given"),
        ],
    )
    assert completed.returncode == 0, completed.stderr.decode()
    assert (tmp_path / "work" / "made").read_text() == "given"


def test_localhost_and_its_own_name_are_known(sandbox: Sandbox, python_root: Path) -> None:
    code = "import socket; print(socket.gethostbyname('localhost'), socket.gethostbyname(socket.gethostname()))"
    assert run(sandbox, python_root, code).stdout == b"127.0.0.1 127.0.1.1\n"


@pytest.mark.parametrize(
    ("argv", "user", "cwd", "reason"),
    [
        (["/no/such"], "", "/", "the program /no/such is not in the image"),
        (["nothing"], "", "/", "the program nothing is not in the image"),
        (["/etc/hosts"], "", "/", "cannot be executed: Permission denied"),
        ([INTERPRETER], "app", "/", "'app' is not in its /etc/passwd"),
        ([INTERPRETER], "0:staff", "/", "'staff' is not in its /etc/group"),
        ([INTERPRETER], "", "/app", "the working directory /app cannot be entered"),
    ],
)
def test_what_an_image_lacks_is_named(
    sandbox: Sandbox, python_root: Path, argv: list[str], user: str, cwd: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        sandbox.run_program(python_root, argv, process=HostProcess(), env={}, timeout_seconds=30, user=user, cwd=cwd)


def test_a_time_limit_ends_it(sandbox: Sandbox, python_root: Path) -> None:
    with pytest.raises(OutOfReachError, match=r"did not end within 0\.5 s"):
        sandbox.run_program(
            python_root,
            [INTERPRETER, "-I", "-c", "import time; time.sleep(60)"],
            process=HostProcess(),
            env={},
            timeout_seconds=0.5,
        )


@pytest.mark.parametrize("use_cgroup", [True, False])
def test_a_memory_limit_ends_it(sandbox: Sandbox, python_root: Path, use_cgroup: bool) -> None:
    with pytest.raises(OutOfReachError, match="needed more than 64 MiB of memory"):
        Sandbox(use_cgroup=use_cgroup).run_program(
            python_root,
            [INTERPRETER, "-I", "-c", "import time; x = bytearray(200 << 20); time.sleep(20)"],
            process=HostProcess(),
            env={},
            timeout_seconds=30,
            limits=Limits(memory_bytes=64 << 20),
        )


@pytest.mark.parametrize("use_cgroup", [True, False])
def test_a_fork_bomb_is_held(sandbox: Sandbox, python_root: Path, use_cgroup: bool) -> None:
    code = """if True:
        import os, time
        made = 0
        try:
            while made < 1000:
                if os.fork() == 0:
                    time.sleep(60)
                made += 1
        except OSError:
            pass
        print(made, flush=True)
    """
    try:
        completed = Sandbox(use_cgroup=use_cgroup).run_program(
            python_root,
            [INTERPRETER, "-I", "-c", code],
            process=HostProcess(),
            env={},
            timeout_seconds=30,
            limits=Limits(processes=40),
        )
        assert int(completed.stdout) <= 40
    except OutOfReachError as error:
        assert "started more than 40 processes" in error.message
