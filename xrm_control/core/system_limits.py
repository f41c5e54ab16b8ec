"""What the system says when it has no more of something to give, as one error with a remedy, whoever hears it."""

from __future__ import annotations

import errno

from xrm_control.core.errors import OutOfResources, XrmError

_OF_FILES = "end what holds many files open, or raise the limit (`ulimit -n`)"
_OF_PROCESSES = "end processes that are not needed, or raise the limit (`ulimit -u`, the cgroup's pids.max)"
_OF_MEMORY = (
    "end what is not needed, give fewer workers, a higher binning or fewer rows, or raise the limit (`ulimit -v`)"
)
_SAID = {
    errno.EMFILE: ("this process may open no more files", _OF_FILES),
    errno.ENFILE: ("the system can open no more files", _OF_FILES),
    errno.EAGAIN: ("the system starts no more processes", _OF_PROCESSES),
    errno.ENOMEM: ("the system gives no more memory", _OF_MEMORY),
}


def is_spent(error: OSError) -> bool:
    """Whether the system has no more to give now, and may have later: no fault of the one who asked."""
    return error.errno in _SAID


def told(error: BaseException) -> OutOfResources | None:
    """The error in words; None where it is no such, or one of ours, which says it itself."""
    code = None
    if isinstance(error, MemoryError):
        code = errno.ENOMEM
    elif isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        code = errno.EAGAIN
    elif isinstance(error, OSError) and not isinstance(error, XrmError):
        code = error.errno
    if code not in _SAID:
        return None
    what, remedy = _SAID[code]
    where = getattr(error, "filename", None)
    return OutOfResources(what, where=None if where is None else str(where), remedy=remedy)
