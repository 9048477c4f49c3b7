"""Prices from AWS's Price List, as its API answers."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.money.price_list import as_setting, listed
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.trouble import Trouble

ASKED = {
    "ServiceCode": "AmazonECS",
    "Filters": [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-central-1"}],
}


def product(usage: str, price: str) -> str:
    dimension = {"unit": "hours", "pricePerUnit": {"USD": price}}
    return json.dumps(
        {
            "product": {"attributes": {"usagetype": usage, "regionCode": "eu-central-1"}},
            "terms": {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": dimension}}}},
        }
    )


ON_DEMAND = [
    product("EUC1-Fargate-vCPU-Hours:perCPU", "0.0465600000"),
    product("EUC1-Fargate-GB-Hours", "0.0051100000"),
    product("EUC1-Fargate-ARM-vCPU-Hours:perCPU", "0.03725"),
    product("EUC1-Fargate-Windows-vCPU-Hours:perCPU", "0.1"),
]


def pricing(*pages: list[str], refused: bool = False) -> Any:
    client = boto3.client(
        "pricing", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    stub = Stubber(client)
    if refused:
        stub.add_client_error("get_products", "AccessDeniedException", "not authorized")
    for number, page in enumerate(pages):
        more = {"NextToken": f"t{number}"} if number + 1 < len(pages) else {}
        asked = ASKED | ({"NextToken": f"t{number - 1}"} if number else {})
        answer = {"PriceList": page, "FormatVersion": "aws_v1", **more}
        stub.add_response("get_products", answer, asked)
    stub.activate()
    return client


def test_a_region_s_prices_are_taken_and_dated_and_the_discount_stays() -> None:
    found = listed(pricing(ON_DEMAND[:2], ON_DEMAND[2:]), "eu-central-1", Prices(), "2026-11")
    assert found == Prices(0.04656, 0.00511, 0.7, "2026-11")


def test_the_discount_comes_from_the_list_where_it_has_spot() -> None:
    spot = product("EUC1-SpotUsage-Fargate-vCPU-Hours:perCPU", "0.0153648")
    found = listed(pricing([*ON_DEMAND, spot]), "eu-central-1", Prices(), "2026-11")
    assert found.spot_discount == 0.67


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (pricing(refused=True), "does not answer"),
        (pricing([product("EUC1-Other", "1")]), "knows no Fargate in eu-central-1"),
    ],
)
def test_a_list_that_says_nothing_is_told_with_what_to_do(client: Any, sentence: str) -> None:
    with pytest.raises(Trouble, match=sentence) as raised:
        listed(client, "eu-central-1", Prices(), "2026-11")
    assert "--refresh" in raised.value.what_to_do


def test_the_line_for_the_configuration_is_read_as_the_same_prices() -> None:
    prices = Prices(0.04656, 0.00511, 0.67, "2026-11")
    text = f"[platform]\n{as_setting(prices)}\n[jobs.ab]\nimage = 'i'\n"
    assert parse(text).platform.prices == prices
