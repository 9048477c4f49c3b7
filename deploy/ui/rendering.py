"""Fills the templates. Whatever a page shows is escaped, and loses what steers its reader."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from steadyspot.deploy.plain import plain


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("steadyspot.deploy.ui"),
        autoescape=True,
        finalize=lambda value: plain(value, lines=True) if isinstance(value, str) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def prepare() -> None:
    """Compile the templates, which takes longer than an answer may."""
    for name in _templates().list_templates():
        _templates().get_template(name)


def rendered(template: str, *, now: datetime, where: str, **values: Any) -> str:
    """Return a page.

    Parameters
    ----------
    now
        The moment of which it tells, aware.
    where
        Whose runs these are: the platform and its region.
    """
    page = _templates().get_template(template)
    common = {
        "now": now.astimezone(UTC),
        "where": where,
        "nonce": "",
        "links": None,
        "read_only": True,
    }
    return page.render({**common, **values})
