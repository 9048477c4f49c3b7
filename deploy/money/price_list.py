"""Today's prices of a region, from AWS's Price List where the credentials may ask for them.

The list is asked in us-east-1, whatever the region (`pricing:GetProducts`, one call). It carries
Fargate on on-demand, Linux on x86; Spot's price moves with supply, and where the list has none the
configured discount stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.trouble import Trouble

REGION = "us-east-1"
VCPU, GB = "Fargate-vCPU-Hours:perCPU", "Fargate-GB-Hours"
SPOT = "SpotUsage-"


def listed(pricing: Any, region: str, prices: Prices, date: str) -> Prices:
    """Return ``prices`` with what the list says of a region, under a new date.

    Raises
    ------
    Trouble
        When the list may not be asked, does not answer, or knows no Fargate in the region.
    """
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
    try:
        pages = pricing.get_paginator("get_products").paginate(
            ServiceCode="AmazonECS", Filters=filters
        )
        found = hourly(json.loads(text) for page in pages for text in page["PriceList"])
    except (ClientError, BotoCoreError) as error:
        raise Trouble(
            f"AWS's Price List does not answer: {error}",
            "Allow pricing:GetProducts, or leave --refresh away and keep the configured prices.",
        ) from None
    if VCPU not in found or GB not in found:
        raise Trouble(
            f"AWS's Price List knows no Fargate in {region}.",
            "Leave --refresh away and put the prices into steadyspot.toml.",
        )
    discount = prices.spot_discount
    if SPOT + VCPU in found:
        discount = round(1 - found[SPOT + VCPU] / found[VCPU], 4)
    return replace(
        prices, vcpu_hour=found[VCPU], gb_hour=found[GB], spot_discount=discount, date=date
    )


def hourly(products: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return US dollars an hour by usage type, the region's prefix taken off; pure."""
    found = {}
    for product in products:
        usage = product["product"]["attributes"].get("usagetype", "")
        for kind in (SPOT + VCPU, SPOT + GB, VCPU, GB):
            if usage == kind or usage.partition("-")[2] == kind:
                found[kind] = _dollars(product)
    return found


def _dollars(product: Mapping[str, Any]) -> float:
    (term, *_) = product["terms"]["OnDemand"].values()
    (dimension, *_) = term["priceDimensions"].values()
    return float(dimension["pricePerUnit"]["USD"])


def as_setting(prices: Prices) -> str:
    """Return prices as the line of steadyspot.toml that keeps them."""
    return (
        f"prices = {{ vcpu_hour = {prices.vcpu_hour:g}, gb_hour = {prices.gb_hour:g}, "
        f'spot_discount = {prices.spot_discount:g}, date = "{prices.date}" }}'
    )
