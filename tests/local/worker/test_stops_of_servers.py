"""What servers, queues and crawlers make of a stop with work in hand: rows of docs/why/stops.md.

Those of Python live in an environment of their own (`make tests/programs/.venv/.synced`); each test
is skipped where its program is not installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.local.worker.kit import ROOT, wait_until
from tests.local.worker.test_process_duties import Started, start, started, way
from tests.local.worker.test_stops_of_real_programs import shell, until_the_end

__all__ = ["started", "way"]

ENVIRONMENT = ROOT / "tests" / "programs" / ".venv" / "bin"
PATH = os.pathsep.join((str(ENVIRONMENT), os.environ["PATH"], "/usr/sbin"))

APP = """
import time
def app(environ, start_response):
    print("begun", flush=True)
    time.sleep(1)
    print("saved", flush=True)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""
# A process that has not set its signals up yet drops a SIGTERM, and gunicorn waits 30 s for it.
READY = """
def post_worker_init(worker):
    print("ready", flush=True)
"""
QUEUE = """
import time
from celery import Celery
from celery.signals import worker_ready
app = Celery(broker="filesystem://", set_as_current=True)
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
}
app.conf.worker_prefetch_multiplier = 1
@app.task(name="work")
def work():
    print("begun", flush=True)
    time.sleep(1)
    print("saved", flush=True)
@worker_ready.connect
def send(**_):
    for _ in range(12):
        app.send_task("work")
"""
SPIDER = """
import scrapy
class Spider(scrapy.Spider):
    name = "spider"
    def __init__(self, url, **more):
        super().__init__(**more)
        self.url = url
    async def start(self):
        for number in range(3):
            yield scrapy.Request(f"{self.url}/{number}", callback=self.parse)
    def parse(self, response):
        print("saved", flush=True)
        yield response.follow("/next", callback=self.parse)
    def closed(self, reason):
        print("closed by", reason, flush=True)
"""
FPM = """
[global]
error_log = /proc/self/fd/2
daemonize = no
process_control_timeout = 20s
[www]
listen = {folder}/socket
pm = static
pm.max_children = 2
user = root
"""
SCRIPT = """<?php
file_put_contents('{folder}/begun', '');
sleep(3);
echo 'saved';
"""
NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
worker_processes 1;
user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/of-nginx;
    proxy_temp_path {folder}/of-nginx;
    fastcgi_temp_path {folder}/of-nginx;
    uwsgi_temp_path {folder}/of-nginx;
    scgi_temp_path {folder}/of-nginx;
    server {{
        listen unix:{folder}/socket;
        root {folder};
        limit_rate 100k;
    }}
}}
"""


def needs(program: str) -> str:
    """The program's path; without it the test is skipped."""
    found = shutil.which(program, path=PATH)
    if not found:
        pytest.skip(f"{program} is not installed here")
    return found


def begin(started: list[Started], way: list[str], script: str, *options: str) -> Started:
    """Run a program whose log and output are one."""
    return start(started, way, *options, *shell(f"{script} 2>&1"))


class Answer:
    """What a server sends, read in a thread, until it closes the connection."""

    def __init__(self, path: Path, request: bytes) -> None:
        self.received = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.sendall(request)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._socket, contextlib.suppress(ConnectionError):
            while data := self._socket.recv(65536):
                self.received += data

    def whole(self) -> bytes:
        self._reader.join(20)
        return self.received


def listening(path: Path) -> None:
    """Wait until a server accepts connections at a socket's path."""

    def answers() -> bool:
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            return True
        return False

    wait_until(answers)


HTTP = b"GET /body HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


def test_gunicorn_ends_the_request_in_hand(
    way: list[str], started: list[Started], tmp_path: Path
) -> None:
    program = needs("gunicorn")
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(READY)
    place = tmp_path / "socket"
    worker = begin(
        started,
        way,
        f"{program} --chdir {tmp_path} --config {tmp_path}/gunicorn.conf.py --bind unix:{place}"
        " --workers 2 --no-control-socket app:app",
    )
    said: list[str] = []
    while said.count("ready") < 2:
        said.append(worker.line())
    answer = Answer(place, HTTP)
    while "begun" not in said:
        said.append(worker.line())
    worker.send(signal.SIGTERM)

    said = until_the_end(worker)
    assert answer.whole().endswith(b"done")
    assert "saved" in said
    assert sum("Handling signal: term" in line for line in said) == 1
    assert any("Shutting down: Master" in line for line in said)
    assert worker.end() == 143


def test_celery_ends_the_tasks_in_hand_and_fetches_no_other(
    way: list[str], started: list[Started], tmp_path: Path
) -> None:
    program = needs("celery")
    (tmp_path / "tasks.py").write_text(QUEUE)
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    worker = begin(
        started,
        way,
        f"{program} --workdir {tmp_path} -A tasks worker --concurrency 2 --loglevel=info",
    )
    begun = 0
    while begun < 2:
        begun += worker.line().endswith("begun")
    worker.send(signal.SIGTERM)

    said = until_the_end(worker)
    late = sum(line.endswith("begun") for line in said)
    assert sum(line.endswith("saved") for line in said) == 2 + late
    assert late <= 2  # Those that it had fetched before.
    assert sum("Warm shutdown" in line for line in said) == 1
    assert worker.end() == 143


class Slow(BaseHTTPRequestHandler):
    """Answers a second later; ``asked`` is set by the first request."""

    asked: threading.Event

    def do_GET(self) -> None:
        self.asked.set()
        time.sleep(1)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, threading.Event]]:
    asked = threading.Event()

    class Handler(Slow):
        pass

    Handler.asked = asked
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_scrapy_ends_its_requests_in_flight_and_closes_its_spider(
    way: list[str], started: list[Started], tmp_path: Path, site: tuple[str, threading.Event]
) -> None:
    program = needs("scrapy")
    url, asked = site
    (tmp_path / "spider.py").write_text(SPIDER)
    worker = begin(
        started,
        way,
        f"{program} runspider {tmp_path}/spider.py -a url={url} -s TELNETCONSOLE_ENABLED=0",
    )
    assert asked.wait(30)
    worker.send(signal.SIGTERM)

    said = until_the_end(worker)
    assert said.count("saved") == 3
    assert "closed by shutdown" in said
    assert not any("forcing unclean shutdown" in line for line in said)
    assert worker.end() == 143


def fast_cgi(script: Path) -> bytes:
    """A request of FastCGI for a script: begin, its parameters, and no input."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    given = {"SCRIPT_FILENAME": str(script), "REQUEST_METHOD": "GET"}
    pairs = b"".join(
        bytes((len(name), len(value))) + name.encode() + value.encode()
        for name, value in given.items()
    )
    responder = struct.pack(">HB5x", 1, 0)
    return b"".join((record(1, responder), record(4, pairs), record(4, b""), record(5, b"")))


@pytest.mark.parametrize(("told_by", "ends"), [("TERM", False), ("QUIT", True)])
def test_php_fpm_ends_the_request_in_hand_where_it_is_told_by_quit(
    way: list[str], started: list[Started], tmp_path: Path, told_by: str, ends: bool
) -> None:
    program = next((p for v in ("", "8.2", "8.4", "8.3") if (p := found(f"php-fpm{v}"))), "")
    if not program:
        pytest.skip("php-fpm is not installed here")
    (tmp_path / "fpm.conf").write_text(FPM.format(folder=tmp_path))
    (tmp_path / "script.php").write_text(SCRIPT.format(folder=tmp_path))
    options = "--fpm-config" if os.getuid() else "--allow-to-run-as-root --fpm-config"
    worker = begin(
        started,
        way,
        f"{program} --no-php-ini --nodaemonize {options} {tmp_path}/fpm.conf",
        "--signal-job",
        told_by,
    )
    listening(tmp_path / "socket")
    answer = Answer(tmp_path / "socket", fast_cgi(tmp_path / "script.php"))
    wait_until((tmp_path / "begun").exists)
    worker.send(signal.SIGTERM)

    said = until_the_end(worker)
    assert (b"saved" in answer.whole()) == ends
    assert sum("exiting, bye-bye" in line for line in said) == 1
    assert worker.end() == 143


@pytest.mark.parametrize(("told_by", "ends"), [("TERM", False), ("QUIT", True)])
def test_nginx_ends_the_request_in_hand_where_it_is_told_by_quit(
    way: list[str], started: list[Started], tmp_path: Path, told_by: str, ends: bool
) -> None:
    program = needs("nginx")
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path))
    (tmp_path / "body").write_bytes(b"x" * 200_000)
    worker = begin(
        started, way, f"{program} -p {tmp_path} -e stderr -c {tmp_path}/nginx.conf",
        "--signal-job", told_by,
    )  # fmt: skip
    listening(tmp_path / "socket")
    answer = Answer(tmp_path / "socket", HTTP)
    wait_until(lambda: answer.received)
    worker.send(signal.SIGTERM)

    until_the_end(worker)
    assert (answer.whole().count(b"x") >= 200_000) == ends
    assert worker.end() == 143


def found(program: str) -> str:
    return shutil.which(program, path=PATH) or ""
