"""One host that answers for a repository, the registry itself or a mirror of it: where it is, and who asks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from basewright._http import (
    CUT,
    NOT_LISTENING,
    NOT_TRUSTED,
    BrokenOffError,
    NotFoundError,
    PooledHttp,
    RefusedError,
)
from basewright._url import is_loopback, origin
from basewright.errors import OutOfReachError, UnreachableError
from basewright.oci.reference import DEFAULT_REGISTRY, Reference
from basewright.oci.transports.registries import Mirror, Registries
from basewright.oci.transports.registry_login import LOGIN_HINT, RegistryLogin

if TYPE_CHECKING:
    import urllib3

_DOCKER_HUB = "registry-1.docker.io"
_TRIES = 6
"""Of one request: refused, with nobody's token, with the user's, with a renewed one, with one of another thread."""
_SPEAKS_TLS = b"https"
"""In what servers answer (400) to a request without TLS: Go's and nginx's have it."""

Body = bytes | Callable[[], Iterable[bytes | memoryview]] | None


class RegistryHost:
    """Asks one host about one repository. Safe to share between threads."""

    def __init__(
        self,
        location: str,
        repository: str,
        http: PooledHttp,
        registries: Registries,
        *,
        plain_http: bool = False,
    ) -> None:
        """`location`: `host[:port][/prefix]`, as a reference or a mirror names it."""
        name, _, prefix = location.partition("/")
        settings = registries.settings_for(name)
        self.name = name
        self.repository = f"{prefix.strip('/')}/{repository}" if prefix.strip("/") else repository
        self.is_down = False
        """Whether it could not be reached: others are asked at once then."""
        self._http = http
        self._address = _DOCKER_HUB if name == DEFAULT_REGISTRY else name
        self._ca_files = settings.ca_files
        self._may_be_plain = plain_http or settings.plain_http or is_loopback(name)
        self._scheme = "http" if self._may_be_plain and not self._ca_files else "https"
        self._spoken = False
        """Whether it has answered a request as registries do."""
        self._login = RegistryLogin(
            f"{name}/{self.repository}",
            http,
            registries.keychain,
            plain_http=plain_http or settings.plain_http,
            ca_files=self._ca_files,
        )

    def url(self, path: str) -> str:
        """Of something in the repository, such as `blobs/sha256:...`."""
        return f"{self._scheme}://{self._address}/v2/{self.repository}/{path}"

    def scopes(self, *actions: str) -> tuple[str, ...]:
        """What a token must allow."""
        return (f"repository:{self.repository}:{','.join(actions)}",)

    @contextmanager
    def open(
        self,
        place: str,
        *,
        scopes: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Body = None,
        repeatable: bool | None = None,
        read_seconds: float | None = None,
    ) -> Iterator["urllib3.BaseHTTPResponse"]:
        """A successful answer about `place`, a path in the repository or a whole URL. A login that is asked for is made
        on the way; a `body` that is a function is called again for each try."""
        with ExitStack() as stack:
            yield self._enter(
                stack,
                place,
                scopes,
                lambda url, sent: self._http.open(
                    url,
                    headers={**(headers or {}), **sent},
                    method=method,
                    body=body() if callable(body) else body,
                    repeatable=repeatable,
                    read_seconds=read_seconds,
                    ca_files=self._ca_files,
                ),
            )

    def _enter(
        self,
        stack: ExitStack,
        place: str,
        scopes: tuple[str, ...],
        opened: "Callable[[str, Mapping[str, str]], AbstractContextManager[urllib3.BaseHTTPResponse]]",
    ) -> "urllib3.BaseHTTPResponse":
        for attempt in range(_TRIES):
            url = place if "://" in place else self.url(place)
            is_ours = origin(url) == origin(self.url(""))
            sent = self._login.authorization(scopes) if is_ours else ""
            try:
                answer = stack.enter_context(opened(url, {"Authorization": sent} if sent else {}))
            except RefusedError as error:
                if self._wants_tls(error, url):
                    continue
                if not is_ours or attempt == _TRIES - 1 or not self._login.improve(error, scopes, sent):
                    raise
            except NotFoundError:
                self._spoken = True
                self._login.accept(scopes, sent)
                raise
            except OutOfReachError as error:
                if not self._wants_tls(error, url):
                    raise
            else:
                self._spoken = True
                self._login.accept(scopes, sent)
                return answer
        raise AssertionError("the last try raises")

    def _wants_tls(self, error: OutOfReachError, url: str) -> bool:
        """Whether a host that was asked without TLS, as it may be, answers with it only; then it is asked so."""
        if not url.startswith(f"http://{self._address}/"):
            return False
        if self._scheme == "https":  # another thread found out meanwhile
            return True
        if isinstance(error, RefusedError):
            # The answer to a HEAD has no body to say it in.
            silent = not (error.body or self._spoken)
            hinted = error.status == 400 and (silent or _SPEAKS_TLS in error.body.lower())
        else:
            no_port = urlsplit(f"//{self._address}").port is None  # 80 was asked, and 443 may listen
            why = error.why if isinstance(error, UnreachableError) else ""
            hinted = why == CUT or (why == NOT_LISTENING and no_port)
        if not hinted:
            return False
        try:
            with self._http.open(f"https://{self._address}/v2/", ca_files=self._ca_files, repeatable=False):
                pass
        except (RefusedError, NotFoundError):
            pass
        except UnreachableError as failed:
            if failed.why == NOT_TRUSTED:
                raise
            return False
        except OutOfReachError:
            return False
        self._scheme = "https"
        return True

    def refused(self, error: OutOfReachError, what: str) -> OutOfReachError:
        """The error for the user, with the registry's own words. `what` is what was asked about."""
        if not isinstance(error, RefusedError):
            return error
        hint = LOGIN_HINT if error.status in (401, 403) else error.hint
        return OutOfReachError(f"the registry refused {what}: {self._login.reason(error)}", hint=hint)


def hosts_for(reference: Reference, http: PooledHttp, registries: Registries) -> tuple[RegistryHost, ...]:
    """The mirrors in their order, then the registry itself."""
    mirrors: tuple[Mirror, ...] = registries.settings_for(reference.registry).mirrors
    return (
        *(
            RegistryHost(each.location, reference.repository, http, registries, plain_http=each.plain_http)
            for each in mirrors
        ),
        RegistryHost(reference.registry, reference.repository, http, registries),
    )


def is_interrupted(error: OutOfReachError) -> bool:
    """Whether the same request could do later: cut off, out of reach, or a server that stumbles."""
    if isinstance(error, RefusedError):
        return error.status in (408, 429) or error.status >= 500
    return not isinstance(error, NotFoundError) or isinstance(error, BrokenOffError)
