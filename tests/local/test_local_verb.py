"""What the embedded AWS shows the newcomer: mails, and what runs in an image's place."""

from __future__ import annotations

import json

from click.testing import CliRunner
from jsonschema import Draft202012Validator

from steadyspot.deploy.as_json import form_of
from steadyspot.deploy.cli.main import main
from tests.local.shop import Shop


def local(shop: Shop, *words: str) -> str:
    result = CliRunner().invoke(main, ["local", *words, "--config", str(shop.path)])
    assert result.exit_code == 0, result.output
    return result.output


def test_run_says_what_runs_in_the_place_of_the_image_and_shows_mails_as_they_come(
    shop: Shop,
) -> None:
    said = shop.verb("run", "--input", '{"command": ["false"]}', code=1)
    folded = " ".join(said.split())
    assert "night names the image steadyspot-worker:local" in folded
    assert f"here its command runs as a process of this machine, in {shop.folder}" in folded
    key = said.partition("night: execution ")[2].split()[0]  # Others, of alarms too, lie beside.
    line = next(line for line in said.splitlines() if "mail to " in line and key in line)
    subject = line.partition("mail to oncall@example.com: ")[2]
    mails = json.loads(local(shop, "mails", "--json"))
    Draft202012Validator(form_of("mails")).validate(mails)
    (mail,) = (one for one in mails if one["subject"] == subject)
    shown = local(shop, "mails")
    assert f"Subject: {subject}" in shown
    assert mail["body"] in shown
    assert "mail to" not in shop.verb("run", "--json")
