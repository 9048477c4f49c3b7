"""Money: prices, what runs cost, and what would save most.

``prices`` holds the dated figures, ``price_list`` asks for those of today, ``costs`` adds up. Its
biggest drawback: the price of Spot moves, and only the discount at deployment is known.
"""
