"""Runs in the formats of others: made again at any time from frames and journal."""
