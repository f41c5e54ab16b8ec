"""Rehearsals: a whole night on the twin of the instrument, before anything moves."""

from xrm_control.app.rehearsal.rehearse import Wish, rehearse

__all__ = ["Wish", "rehearse"]
