"""What the system says when it has no more of something to give, as one error with a remedy, whoever hears it."""

from __future__ import annotations

import errno
import resource

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


# Below it libraries of numbers do not load: some say so, some try for ever, some end the process where it stands.
_LEAST_ADDRESSES = 1 << 30


def require_addresses() -> None:
    """Raises OutOfResources where this process may not have as many addresses as what it is about to load needs."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESSES:
        raise OutOfResources(
            "a process may have too few addresses for a run here",
            where="ulimit -v",
            value=f"{limit >> 20} MB",
            limit=f"{_LEAST_ADDRESSES >> 20} MB, and more for large regions",
            remedy="raise the limit: `ulimit -v unlimited`",
        )


def is_spent(error: OSError) -> bool:
    """Whether the system has no more to give now, and may have later: no fault of the one who asked."""
    return error.errno in _SAID


def remedy_of(error: OSError) -> str | None:
    """What to do about it; None for anything else."""
    return _SAID[error.errno][1] if error.errno in _SAID else None


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
