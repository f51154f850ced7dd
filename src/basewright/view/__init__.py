"""What every output shows: one table of words and numbers, so that outputs cannot disagree."""
