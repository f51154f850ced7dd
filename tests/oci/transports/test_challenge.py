"""What WWW-Authenticate offers, however it is written."""

import pytest

from basewright.oci.transports.challenge import merge_scopes, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://a/t",service="s"', [("bearer", {"realm": "https://a/t", "service": "s"})]),
        ("Bearer realm=https://a/t,service=s", [("bearer", {"realm": "https://a/t", "service": "s"})]),
        ('bearer Realm = "https://a/t" , SERVICE="s"', [("bearer", {"realm": "https://a/t", "service": "s"})]),
        ('Basic realm="a, \\"b\\" = c"', [("basic", {"realm": 'a, "b" = c'})]),
        (
            'Basic realm="x", Bearer realm="https://a/t",scope="repository:a/b:pull,push repository:c:pull"',
            [
                ("basic", {"realm": "x"}),
                ("bearer", {"realm": "https://a/t", "scope": "repository:a/b:pull,push repository:c:pull"}),
            ],
        ),
        (
            'Bearer realm="https://a/t",error="insufficient_scope",error_description="no, never"',
            [("bearer", {"realm": "https://a/t", "error": "insufficient_scope", "error_description": "no, never"})],
        ),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Negotiate YWJjZA==, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Basic", [("basic", {})]),
        (", ,Basic realm=x,,", [("basic", {"realm": "x"})]),
        ("realm=x", []),
        ('Bearer realm="never ends', [("bearer", {})]),
        ("", []),
        ("\x00\xff", []),
    ],
)
def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in parse_challenges(header)] == expected


def test_a_long_header_takes_no_time() -> None:
    parse_challenges('Bearer realm="' + "\\" * 1_000_000)
    parse_challenges("a " * 1_000_000)


def test_scopes_of_one_thing_are_put_together() -> None:
    assert merge_scopes("repository:a:pull", "repository:b:pull repository:a:push,pull", "damaged") == (
        "repository:a:pull,push",
        "repository:b:pull",
    )
    assert merge_scopes("repository:host:5000/a:pull") == ("repository:host:5000/a:pull",)
