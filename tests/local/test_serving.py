"""The embedded AWS's HTTP server: one connection serves many requests, whole ones only."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from steadyspot.deploy.local.serving import Server


class App:
    """Answers with the body it got; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.asked.append((environ["PATH_INFO"], body))
        if environ["PATH_INFO"] == "/broken":
            raise ValueError("it broke")
        if environ["REQUEST_METHOD"] == "HEAD":
            start_response("200 OK", [("Content-Length", "7")])
            return []
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body[:1], body[1:]]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def server(app: App) -> Iterator[Server]:
    serving = Server("127.0.0.1", 0, app)
    thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
    thread.start()
    yield serving
    serving.shutdown()
    thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.connect()
        yield connection


def answer(client: http.client.HTTPConnection, *request: Any, **more: Any) -> tuple[int, bytes]:
    client.request(*request, **more)
    reply = client.getresponse()
    return reply.status, reply.read()


def test_one_connection_serves_many_requests(client: http.client.HTTPConnection) -> None:
    used = client.sock
    for body in (b"one", b"", b"x" * 100_000):
        assert answer(client, "PUT", "/a", body) == (200, body)
    client.request("HEAD", "/a")
    reply = client.getresponse()
    assert (reply.getheader("Content-Length"), reply.read()) == ("7", b"")
    assert answer(client, "POST", "/a", iter([b"in ", b"chunks"])) == (200, b"in chunks")
    assert answer(client, "GET", "/a") == (200, b"")
    assert client.sock is used, "the server has closed it"


def test_error_of_the_application_is_an_answer_too(client: http.client.HTTPConnection) -> None:
    used = client.sock
    assert answer(client, "GET", "/broken")[0] == 500
    assert answer(client, "PUT", "/a", b"whole") == (200, b"whole")
    assert client.sock is used


def test_client_that_asks_before_it_sends_the_body_is_told_to_go_on(
    client: http.client.HTTPConnection, app: App
) -> None:
    head = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    client.sock.sendall(head)
    assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sock.sendall(b"body")
    assert b"200 OK" in client.sock.recv(1000)
    assert app.asked == [("/a", b"body")]


@pytest.mark.parametrize(
    "request_start",
    [
        b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ],
    ids=["by length", "in chunks"],
)
def test_request_that_breaks_off_reaches_no_application(
    client: http.client.HTTPConnection, app: App, request_start: bytes
) -> None:
    client.sock.sendall(request_start)
    client.sock.shutdown(socket.SHUT_WR)
    assert client.sock.recv(100) == b""
    assert app.asked == []


def test_connection_that_is_kept_ends_with_the_server(
    client: http.client.HTTPConnection, server: Server
) -> None:
    answer(client, "GET", "/a")
    server.shutdown()
    client.sock.settimeout(10)
    assert client.sock.recv(100) == b""


def test_a_port_that_is_taken_is_an_error_and_not_the_end_of_the_process(server: Server) -> None:
    with pytest.raises(OSError, match="in use"):
        Server("127.0.0.1", server.port, App())
