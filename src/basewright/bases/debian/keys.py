"""Which keys may sign a Debian archive, and whether one of them did: the host's keyring first, then the shipped one."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from basewright.errors import HostileInputError

if TYPE_CHECKING:
    import pysequoia

KEYRING_DIRECTORY = Path("/usr/share/keyrings")
MAX_KEYRING_BYTES = 4 << 20


class ArchiveKeys:
    """The certificates that are trusted. A key that the host also has is taken as the host has it (it may be revoked
    there); the shipped ones fill up what an older host does not know yet."""

    def __init__(self, *, host_directory: Path = KEYRING_DIRECTORY, more: Iterable[str] = ()) -> None:
        self._certificates: dict[str, pysequoia.Cert] = {}
        keyrings = sorted(host_directory.glob("debian-archive-*.[gp][gp][gp]"))
        for path in (each for each in keyrings if "removed" not in each.name):
            self._add(_read(path))
        self._add((files("basewright.bases") / "keys" / "debian-archive-keyring.asc").read_bytes())
        for text in more:
            self._add(_read(Path(text)) if text.startswith("/") else text.encode())

    def _add(self, data: bytes) -> None:
        import pysequoia

        try:
            for certificate in pysequoia.Cert.split_bytes(data) if data else []:
                self._certificates.setdefault(certificate.fingerprint.upper(), certificate)
        except Exception:  # pysequoia has no exception type of its own; a keyring that is no keyring trusts nobody
            return

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The primary fingerprints, in capitals."""
        return tuple(sorted(self._certificates))

    def verify(self, data: bytes, *, name: str) -> tuple[bytes, tuple[str, ...]]:
        """The signed part of an inline-signed file, and the primary fingerprints of those who signed it.

        Only what the signature covers comes back. Raises HostileInputError where no trusted key signed it.
        """
        import pysequoia

        asked: list[str] = []

        def store(ids: Sequence[str]) -> list[pysequoia.Cert]:
            asked.extend(ids)
            return list(self._certificates.values())

        try:
            result = pysequoia.verify(bytes=data, store=store)
        except Exception as error:
            reason = str(error).splitlines()[0].removeprefix("Signature verification failed: ")[:200] or "no signature"
            signers = f" by {', '.join(each.upper()[-16:] for each in asked[:4])}" if asked else ""
            raise HostileInputError(
                f"the signature of {name}{signers} cannot be trusted: {reason}",
                hint="the mirror or something between it and here changed the file, or this machine's keyring "
                "(debian-archive-keyring) does not know the key",
            ) from None
        if not result.valid_sigs or result.bytes is None:
            raise HostileInputError(f"{name} is not signed")
        return result.bytes, tuple(sorted({str(each.certificate).upper() for each in result.valid_sigs}))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEYRING_BYTES)
    except OSError:
        return b""
