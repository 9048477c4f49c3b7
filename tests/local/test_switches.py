"""A hand on the switches of an embedded AWS that has ended meanwhile."""

from __future__ import annotations

import pytest

from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import Switches
from steadyspot.deploy.trouble import Trouble

NOBODY = Address("http://127.0.0.1:9", "us-east-1", "token")
"""Port 9 (discard): nothing listens there."""


def test_an_aws_that_was_killed_is_named_with_what_is_to_be_done() -> None:
    with pytest.raises(Trouble) as caught:
        Switches(NOBODY).mails()
    assert "has ended" in caught.value.what
    assert "steadyspot local" in caught.value.what_to_do
