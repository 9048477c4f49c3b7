"""The page's server: what it answers, what it refuses, and that what others wrote stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import ACTIONS
from steadyspot.deploy.ui.fleet_view import FleetView
from steadyspot.deploy.ui.guard import Guard
from steadyspot.deploy.ui.looks import Looks
from steadyspot.deploy.ui.run_view import Beside, RunView, run_view
from steadyspot.deploy.ui.server import make_app
from tests.unit.deploy.fakes import BEGUN, refusal
from tests.unit.deploy.ui.nights import JOB, PRICES, night
from tests.unit.deploy.ui.shown import RUN, Shown

PORT = 5050
HERE = f"http://127.0.0.1:{PORT}"
TOKEN = "a-token-that-nobody-guesses"


def app_of(shown: Shown, **options: Any) -> FlaskClient:
    looks = Looks(clock=count(step=10).__next__, patience=60)
    app = make_app(shown, Guard(TOKEN, PORT), pause=lambda _: None, looks=looks, **options)
    return app.test_client()


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def client(shown: Shown) -> FlaskClient:
    """A browser that opened the address which was printed."""
    return admitted(app_of(shown))


def admitted(client: FlaskClient) -> FlaskClient:
    answer = client.get(f"/?token={TOKEN}", base_url=HERE)
    assert (answer.status_code, answer.location) == (303, "/")
    return client


def get(client: FlaskClient, path: str, **more: Any) -> TestResponse:
    return client.get(path, base_url=HERE, **more)


def form_token_on(client: FlaskClient, path: str) -> str:
    (found,) = re.findall(r'name="form_token" value="(\w+)"', get(client, path).text)
    return str(found)


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "told"),
    [("/", "1 job: 1 finished."), ("/jobs/night", "1 vCPU, 2 GB"), (RUN, "4 min late")],
)
def test_pages_are_shown(client: FlaskClient, path: str, told: str) -> None:
    answer = get(client, path)
    assert answer.status_code == 200
    assert told in answer.text


@pytest.mark.parametrize("path", ["/nope", "/jobs/nope", "/jobs/night/runs/nope", f"{RUN}/do/fly"])
def test_what_is_not_there_is_said_in_a_sentence(client: FlaskClient, path: str) -> None:
    answer = get(client, path)
    assert answer.status_code == 404
    assert 'class="outcome bad"' in answer.text


def test_every_link_of_a_page_leads_to_a_page(client: FlaskClient) -> None:
    seen, open_ = {"/"}, ["/"]
    while open_:
        found = set(re.findall(r'href="(/[^"]*)"', get(client, open_.pop()).text)) - seen
        for path in found:
            assert get(client, path).status_code == 200, path
        seen |= found
        open_ += found
    asked = {f"/jobs/night/do/{action}" for action in ("start", "pause", "drill-hang")}
    assert {"/jobs/night", RUN, "/jobs/night/drills", f"{RUN}/record.json"} | asked <= seen


def test_a_page_under_way_is_told_what_is_new_until_the_end() -> None:
    under_way = run_view(night(attempts=()), JOB, PRICES, BEGUN, Beside({}))
    over = run_view(night(), JOB, PRICES, BEGUN, Beside({}))
    client = admitted(app_of(Shown(under_way, under_way, over)))
    events = [json.loads(text) for text in _data(get(client, f"{RUN}/live").text)]
    assert [event["over"] for event in events if "html" in event] == [False, True]
    assert "published" in events[-1]["html"]


def test_trouble_in_between_is_told_and_looked_through() -> None:
    class Recovering(Shown):
        def run(self, job: str, key: str) -> RunView:
            if self.trouble:
                trouble, self.trouble = self.trouble, None
                raise trouble
            return super().run(job, key)

    client = admitted(app_of(Recovering(trouble=Trouble("AWS is away.", "Wait."))))
    events = [json.loads(text) for text in _data(get(client, f"{RUN}/live").text)]
    assert events[0] == {"trouble": "AWS is away. Wait."}
    assert events[-1]["over"]


def _data(text: str) -> list[str]:
    return re.findall(r"^data: (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refusal("AccessDeniedException", "not authorized to perform: states:X"), "may not"),
        (EndpointConnectionError(endpoint_url="https://states.x"), "states.x"),
        (KeyError("never"), "itself"),
    ],
    ids=["refused", "away", "a fault of ours"],
)
def test_what_breaks_a_look_off_is_two_sentences(error: Exception, told: str) -> None:
    class Breaking(Shown):
        def fleet(self) -> FleetView:
            raise error

    answer = get(admitted(app_of(Breaking())), "/")
    assert answer.status_code == 502
    assert "What to do:" in answer.text
    assert told in answer.text
    assert "Traceback" not in answer.text


# --- what is fetched ----------------------------------------------------------------------------


def test_an_output_is_a_file_to_keep_and_never_a_page(client: FlaskClient) -> None:
    answer = get(client, f"{RUN}/outputs/part-00.csv")
    assert answer.data == b"<script>alert(1)</script>"
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename=part-00.csv"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nope", "../other", "x/../../y", "%2e%2e/x", "a b"])
def test_an_output_that_a_run_does_not_have_is_refused(client: FlaskClient, name: str) -> None:
    assert get(client, f"{RUN}/outputs/{name}").status_code == 404


def test_the_record_is_there_as_json(client: FlaskClient) -> None:
    answer = get(client, f"{RUN}/record.json")
    assert answer.mimetype == "application/json"
    assert json.loads(answer.text)["run"]["run_key"] == "20261124T020000Z"


@pytest.mark.parametrize("path", [f"{RUN}/record.json", f"{RUN}/outputs/part-00.csv"])
def test_nothing_is_fetched_without_the_token(shown: Shown, path: str) -> None:
    answer = get(app_of(shown), path)
    assert answer.status_code == 403
    assert "run_key" not in answer.text


# --- what is done -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_to_be_done_is_said_first_and_done_when_asked(
    client: FlaskClient, shown: Shown, action: str
) -> None:
    of_a_run = ACTIONS[action].of_a_run
    path = f"{RUN if of_a_run else '/jobs/night'}/do/{action}"
    assert "This " in get(client, path).text
    assert shown.done == []
    token = form_token_on(client, path)
    answer = client.post(path, base_url=HERE, data={"form_token": token})
    assert "It is done." in answer.text
    assert shown.done == [(action, "night", "20261124T020000Z" if of_a_run else "")]


def test_what_cannot_be_done_is_told_in_two_sentences() -> None:
    client = admitted(app_of(Shown(trouble=Trouble("It is not under way.", "Look again."))))
    path = f"{RUN}/do/stop"
    token = form_token_on(client, path)
    answer = client.post(path, base_url=HERE, data={"form_token": token})
    assert answer.status_code == 404
    assert "It is not under way." in answer.text
    assert "Look again." in answer.text


@pytest.mark.parametrize("action", ACTIONS)
def test_read_only_shows_no_button_and_does_nothing(shown: Shown, action: str) -> None:
    client = admitted(app_of(shown, read_only=True))
    pages = [get(client, path).text for path in ("/jobs/night", RUN, "/jobs/night/drills")]
    assert not any("/do/" in page for page in pages)
    path = f"{RUN if ACTIONS[action].of_a_run else '/jobs/night'}/do/{action}"
    assert get(client, path).status_code == 403
    token = Guard(TOKEN, PORT).form_token
    answer = client.post(path, base_url=HERE, data={"form_token": token})
    assert (answer.status_code, shown.done) == (403, [])


# --- who is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    ["", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "%00", "\u00e9"],
)
@pytest.mark.parametrize("path", ["/", RUN, f"{RUN}/live", f"{RUN}/do/stop", "/nope"])
def test_without_the_token_nothing_is_shown(shown: Shown, token: str, path: str) -> None:
    answer = get(app_of(shown), path, query_string={"token": token})
    assert answer.status_code == 403
    assert "night" not in answer.text.replace(path, "")
    assert "Set-Cookie" not in answer.headers


ATTACKS: dict[str, dict[str, Any]] = {
    "another host that resolves to here": {"base_url": f"http://evil.example:{PORT}"},
    "another port": {"base_url": "http://127.0.0.1:80"},
    "a host with a name in front": {"base_url": f"http://127.0.0.1.evil.example:{PORT}"},
    "a script of another site": {
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    },
    "a picture of another site": {
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    },
    "a script of another port": {
        "headers": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
    },
    "another origin": {"headers": {"Origin": "http://evil.example"}},
    "no origin to speak of": {"headers": {"Origin": "null"}},
    "another port's origin": {"headers": {"Origin": "http://127.0.0.1:8000"}},
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_page_or_host_is_refused_cookie_or_not(
    client: FlaskClient, shown: Shown, attack: str, method: str
) -> None:
    more = {"base_url": HERE, **ATTACKS[attack]}
    if method == "post":
        more["data"] = {"form_token": Guard(TOKEN, PORT).form_token}
    ask: Callable[..., TestResponse] = getattr(client, method)
    answer = ask("/jobs/night/do/start", **more)
    assert (answer.status_code, shown.done) == (403, [])


def test_a_form_of_another_site_is_refused_even_as_a_navigation(
    client: FlaskClient, shown: Shown
) -> None:
    answer = client.post(
        "/jobs/night/do/start",
        base_url=HERE,
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        data={"form_token": Guard(TOKEN, PORT).form_token},
    )
    assert (answer.status_code, shown.done) == (403, [])


@pytest.mark.parametrize("given", ["", "wrong", Guard("another", PORT).form_token])
def test_a_form_without_its_token_is_refused(client: FlaskClient, shown: Shown, given: str) -> None:
    path = "/jobs/night/do/start"
    answer = client.post(path, base_url=HERE, data={"form_token": given})
    assert (answer.status_code, shown.done) == (403, [])


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(client: FlaskClient, shown: Shown, method: str) -> None:
    answer = getattr(client, method)("/jobs/night/do/start", base_url=HERE)
    assert (answer.status_code, shown.done) == (405, [])


def test_the_cookie_is_for_this_server_and_no_script(shown: Shown) -> None:
    answer = get(app_of(shown), f"/?token={TOKEN}")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"steadyspot-{PORT}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("path", ["/", "/nope", RUN])
def test_a_page_may_load_nothing_and_lie_in_no_frame(client: FlaskClient, path: str) -> None:
    answer = get(client, path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert set(re.findall(r"<(?:style|script) nonce=\"([^\"]+)\"", answer.text)) == {nonce}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_nonce_is_used_once(client: FlaskClient) -> None:
    first, second = (get(client, "/").headers["Content-Security-Policy"] for _ in range(2))
    assert first != second
