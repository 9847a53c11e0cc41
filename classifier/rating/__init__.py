"""Floor 5: usage to zero-rated, discounted and charged octets. A pure function, exact, with no float in it."""
