"""AWS throttles: whichever call it is, a verb ends in two sentences, and the next try goes on."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from steadyspot.deploy.cli.main import main
from tests.local.answers import throttling
from tests.local.shop import Shop
from tests.local.test_verbs_in_trouble import environment, said

IMAGE = f"public.ecr.aws/steadyspot/worker@sha256:{'0' * 64}"
MOST_CALLS = 60
VERBS = (
    ["diff"],
    ["up", "--yes"],
    ["runs"],
    ["watch"],
    ["explain"],
    ["logs"],
    ["cost"],
    ["redrive"],
    ["redrive", "--from", "2026-01-01", "--to", "2026-01-03", "--dry-run"],
)


@pytest.fixture(scope="module")
def throttled(shop: Shop) -> Shop:
    """A job that has run once, and whose configuration has changed since it was deployed."""
    shop.write("steadyspot-worker:local", IMAGE)
    shop.verb("up", "--yes")
    shop.verb("run")
    shop.path.write_text(shop.path.read_text().replace("expected_minutes = 1", "keep_logs = 7"))
    return shop


def steadyspot(shop: Shop, calls: int, *words: str) -> Result:
    """Run a verb as on AWS, of which all calls after so many are throttled."""
    with throttling(shop.aws.endpoint_url, calls) as endpoint:
        given = {
            **environment(shop.folder, endpoint),
            **shop.aws.address.environment(),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # else S3 gets its body in chunks
        }
        return CliRunner(env=given).invoke(main, [*words, "--config", str(shop.path)])


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_whichever_call_is_throttled_the_verb_says_so_and_the_next_try_goes_on(
    throttled: Shop, verb: list[str]
) -> None:
    for calls in range(MOST_CALLS):
        result = steadyspot(throttled, calls, *verb)
        if result.exit_code == 0:
            break
        text = said(result)
        assert "AWS throttled" in text
        assert "Wait a minute, then run the same command" in text
    assert result.exit_code == 0, result.output
    assert calls > 0
