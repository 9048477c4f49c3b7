"""Answers a browser: pages, what is new on them while they are looked at, and what is to be done.

The server reads with the rights of who started it, and keeps a look for a moment (``looks``).
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Protocol

from flask import Flask, Response, abort, g, redirect, request, stream_with_context, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from steadyspot.deploy.aws.refusals import trouble_of
from steadyspot.deploy.plain import plain
from steadyspot.deploy.stacks.config import ConfigError, Job
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import ACTIONS, Action
from steadyspot.deploy.ui.drills_view import DrillsView
from steadyspot.deploy.ui.fleet_view import FleetView
from steadyspot.deploy.ui.guard import Guard
from steadyspot.deploy.ui.job_view import JobView
from steadyspot.deploy.ui.looks import Looks
from steadyspot.deploy.ui.rendering import prepare, rendered
from steadyspot.deploy.ui.run_view import RunView

_LOG = logging.getLogger(__name__)
_AFTER_TROUBLE_SECONDS = 10.0
_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Pages(Protocol):
    """What the server shows, and does; :class:`reading.Reading` is the one that asks AWS."""

    where: str

    def fleet(self) -> FleetView:
        """Return all jobs."""

    def job(self, name: str) -> JobView:
        """Return a job and its last runs."""

    def run(self, job: str, key: str) -> RunView:
        """Return a run."""

    def output(self, job: str, key: str, name: str) -> Iterator[bytes]:
        """Return an output of a run, piece by piece."""

    def drills(self, name: str) -> DrillsView:
        """Return the drills of a job."""

    def told(self, action: Action, job: str, run: str) -> Sequence[str]:
        """Return what an action will do."""

    def do(self, action: Action, job: str, run: str) -> str:
        """Do something, and return what is to be said of it."""

    def configured(self, name: str) -> Job:
        """Return a job of the configuration; Trouble where there is none."""


def make_app(
    pages: Pages,
    guard: Guard,
    *,
    read_only: bool = False,
    pause: Callable[[float], None] = time.sleep,
    looks: Looks | None = None,
) -> Flask:
    """Return the application.

    Parameters
    ----------
    read_only
        Whether nothing may be done from it.
    pause
        Waits between two looks.
    looks
        What keeps looks for a moment.
    """
    prepare()
    app = Flask(__name__, static_folder=None, template_folder=None)
    answers = _Answers(pages, guard, looks or Looks(), read_only=read_only, pause=pause)
    app.before_request(answers.admit)
    app.after_request(_protected)
    app.register_error_handler(Trouble, answers.in_trouble)
    app.register_error_handler(ConfigError, answers.without_such_a_job)
    app.register_error_handler(HTTPException, answers.in_error)
    app.register_error_handler(Exception, answers.broken_off)
    for path, look, template in (
        ("/", answers.fleet, "fleet"),
        ("/jobs/<job>", answers.job, "job"),
        ("/jobs/<job>/runs/<run>", answers.run, "run"),
        ("/jobs/<job>/drills", answers.drills, "drills"),
    ):
        app.add_url_rule(path, template, partial(answers.page, template, look))
        at = f"{path.rstrip('/')}/live"
        app.add_url_rule(at, f"{template}_live", partial(answers.live, template, look))
        if template in ("job", "run"):
            asked, done = f"{path}/do/<action>", f"{template}_do"
            app.add_url_rule(asked, f"ask_{done}", answers.ask)
            app.add_url_rule(asked, done, answers.do, methods=["POST"])
    record = "/jobs/<job>/runs/<run>/record.json"
    app.add_url_rule(record, "record", answers.record)
    made = "/jobs/<job>/runs/<run>/outputs/<path:name>"
    app.add_url_rule(made, "output", answers.output)
    return app


class _Answers:
    """Answers requests; the parts of an address come by name."""

    def __init__(
        self,
        pages: Pages,
        guard: Guard,
        looks: Looks,
        *,
        read_only: bool,
        pause: Callable[[float], None],
    ) -> None:
        self._pages = pages
        self._guard = guard
        self._read_only = read_only
        self._pause = pause
        self._looks = looks

    # --- what is shown ----------------------------------------------------------------------------

    def fleet(self) -> FleetView:
        return self._pages.fleet()

    def job(self, job: str) -> JobView:
        return self._pages.job(job)

    def run(self, job: str, run: str) -> RunView:
        return self._pages.run(job, run)

    def drills(self, job: str) -> DrillsView:
        return self._pages.drills(job)

    def page(self, template: str, look: Callable[..., Any], **of: str) -> str:
        if "job" in of:
            self._pages.configured(of["job"])
        seen = self._looks.soon((template, *of.values()), partial(look, **of))
        if seen is None:
            return self._rendered("reading.html", of=[*of.values()])
        return self._rendered(f"{template}.html", view=seen.view, now=seen.at)

    def live(self, template: str, look: Callable[..., Any], **of: str) -> Response:
        """Return what is new, as it comes; ends where nothing can change any more by itself."""
        name = (template, *of.values())
        return Response(
            stream_with_context(self._events(name, partial(look, **of))),
            mimetype="text/event-stream",
        )

    def _events(self, name: tuple[str, ...], look: Callable[[], Any]) -> Iterator[str]:
        last = ""
        while True:
            try:
                seen = self._looks.now(name, look)
            except Exception as error:
                trouble = _trouble(error)
                yield _event(trouble=f"{trouble.what} {trouble.what_to_do}")
                self._pause(_AFTER_TROUBLE_SECONDS)
                continue
            over = seen.view.is_over
            html = self._rendered(f"{name[0]}_main.html", view=seen.view, now=seen.at)
            at = f"{seen.at:%Y-%m-%d %H:%M:%S} UTC"
            yield _event(html=html, at=at, over=over) if html != last else _event(at=at)
            if over:
                return
            last = html
            self._pause(self._looks.rest(seen))

    def _rendered(self, template: str, now: datetime | None = None, **values: Any) -> str:
        return rendered(
            template,
            now=now or datetime.now(UTC),
            where=self._pages.where,
            nonce=g.nonce,
            read_only=self._read_only,
            links=_LINKS,
            form_token=self._guard.form_token,
            **values,
        )

    def record(self, job: str, run: str) -> Response:
        self._pages.configured(job)
        seen = self._looks.now(("run", job, run), partial(self.run, job, run))
        return Response(seen.view.json, mimetype="application/json")

    def output(self, job: str, run: str, name: str) -> Response:
        """Return an output as a file to keep: what a job has made is never shown as a page."""
        self._pages.configured(job)
        answer = Response(self._pages.output(job, run, name), mimetype="application/octet-stream")
        file = plain(name.rsplit("/", 1)[-1])
        answer.headers.set("Content-Disposition", "attachment", filename=file)
        return answer

    # --- what is done -----------------------------------------------------------------------------

    def ask(self, job: str, action: str, run: str = "") -> str:
        wanted = self._wanted(action, run)
        told = self._pages.told(wanted, job, run)
        return self._rendered("ask.html", job=job, run=run, action=wanted.name, told=told)

    def do(self, job: str, action: str, run: str = "") -> str:
        wanted = self._wanted(action, run)
        try:
            told = self._pages.do(wanted, job, run)
        finally:
            self._looks.forget()
        return self._rendered("done.html", job=job, run=run, action=wanted.name, told=told)

    def _wanted(self, action: str, run: str) -> Action:
        found = ACTIONS.get(action)
        if found is None or found.of_a_run != bool(run):
            abort(404)
        if self._read_only:
            abort(403)
        return found

    # --- who is let in ----------------------------------------------------------------------------

    def admit(self) -> AnyResponse | tuple[str, int] | None:
        g.nonce = secrets.token_urlsafe(16)
        refusal = self._guard.refusal_of_sender(request)
        given = request.args.get("token", "")
        if not refusal and request.method == "GET" and self._guard.is_token(given):
            answer = redirect(request.path, 303)
            answer.set_cookie(self._guard.cookie, given, httponly=True, samesite="Strict")
            return answer
        if refusal := refusal or self._guard.refusal(request):
            return self._refused(refusal), 403
        return None

    def in_trouble(self, trouble: Trouble) -> tuple[str, int]:
        return self._refused(trouble.what, trouble.what_to_do), 404

    def without_such_a_job(self, error: ConfigError) -> tuple[str, int]:
        return self._refused(str(error), "The page of all jobs has those that there are."), 404

    def in_error(self, error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        return self._refused(_ERRORS.get(code, "That did not work.")), code

    def broken_off(self, error: Exception) -> tuple[str, int]:
        trouble = _trouble(error)
        return self._refused(trouble.what, trouble.what_to_do), 502

    def _refused(self, what: str, what_to_do: str = "") -> str:
        return self._rendered("refused.html", what=what, what_to_do=what_to_do)


def _trouble(error: Exception) -> Trouble:
    """Return what AWS refused, or that the fault is ours, whose traceback is for the terminal."""
    trouble = trouble_of(error)
    if trouble is None:
        _LOG.error("A page could not be shown.", exc_info=error)
        trouble = Trouble(
            "Steadyspot itself has failed to show this.",
            "The terminal of steadyspot ui has a traceback; steadyspot explain may still tell it.",
        )
    return trouble


_ERRORS = {
    403: "This page was started with --read-only: nothing can be done from it.",
    404: "There is no such page.",
    405: "This address cannot be asked like that.",
}


def _protected(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY.format(nonce=g.nonce)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "same-origin"  # With none, a form has no origin.
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


_address = lru_cache(10_000)(url_for)
"""A page of all jobs has hundreds of them, the same ones each time."""


class _Links:
    """Where pages lie, for templates."""

    @property
    def fleet(self) -> str:
        return _address("fleet")

    def job(self, job: str) -> str:
        return _address("job", job=job)

    def run(self, job: str, run: str) -> str:
        return _address("run", job=job, run=run)

    def drills(self, job: str) -> str:
        return _address("drills", job=job)

    def record(self, job: str, run: str) -> str:
        return _address("record", job=job, run=run)

    def output(self, job: str, run: str, name: str) -> str:
        return _address("output", job=job, run=run, name=name)

    def do(self, action: str, job: str, run: str = "") -> str:
        if run:
            return _address("ask_run_do", job=job, run=run, action=action)
        return _address("ask_job_do", job=job, action=action)


_LINKS = _Links()


def _event(**told: Any) -> str:
    return f"data: {json.dumps(told)}\n\n"
