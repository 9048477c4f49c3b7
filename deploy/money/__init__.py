"""Money: what runs cost, what would save most, and today's prices.

``costs`` adds up by the dated prices of ``aws.prices``, ``price_list`` asks for those of today. Its
biggest drawback: the price of Spot moves, and only the discount at deployment is known.
"""
