"""Queues: many recipes, one after the other, through a night.

items: what is put into a queue and changed in it; facts: how far it is and what comes; runner: carries it out,
each item by a process of its own (process), which is watched (watch); ending: what its end means for the
item; page: the morning page.
"""
