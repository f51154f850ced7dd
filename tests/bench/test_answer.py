"""The little that a load generator reads of HTTP/1.1, from servers that mean well and others."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basewright.bench.answer import Answer, BadAnswer

_WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, False),
    (b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", 200, False),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, False),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, False),
    (b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 302, True),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, True),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 200, False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 200, False),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nab", 500, False),
]


@pytest.mark.parametrize(("data", "status", "closes"), _WHOLE)
def test_whole_answers(data: bytes, status: int, closes: bool) -> None:
    answer = Answer()
    assert answer.feed(data)
    assert (answer.status, answer.closes) == (status, closes)


@given(st.sampled_from(_WHOLE), st.lists(st.integers(1, 80), max_size=6))
def test_however_it_is_cut(whole: tuple[bytes, int, bool], cuts: list[int]) -> None:
    data, status, _ = whole
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    answer = Answer()
    ended = [answer.feed(data[begin:end]) for begin, end in pairwise(bounds)]
    assert ended == [False] * (len(ended) - 1) + [True]
    assert answer.status == status


def test_the_end_of_a_connection_ends_a_body_without_length() -> None:
    answer = Answer()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")
    assert not answer.feed(b"thing")
    assert answer.closes
    assert answer.end()
    cut = Answer()
    assert not cut.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")
    assert not cut.end()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20\xb2 OK\r\n\r\n",
        b"HTTP/1.1 0200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_hostile_answers_are_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        Answer().feed(data)


@given(st.binary(max_size=300))
def test_anything_is_an_answer_or_refused(data: bytes) -> None:
    answer = Answer()
    for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", data):
        try:
            answer.feed(piece)
        except BadAnswer:
            return
