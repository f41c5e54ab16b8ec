"""The journal's tables: facts that are only ever added, and the rules that bind them, kept by SQLite itself.

A planned frame has attempts, one after the other. An attempt is open (intent), then committed (its file is durable)
or not, and may be rejected at any time. From this follows its outcome, exactly one of:
kept (its last attempt is committed and not rejected), missing (declared), or open (not finished yet).
"""

from __future__ import annotations

from enum import StrEnum

from xrm_control.core.states import FrameKind, FrameOutcome, Level, RoiState, RunState

# Older ones are read and gone on with as they are: version 1 lacks the checks of run_state and roi_state, 1 and 2 the
# chain and the inputs of artifacts, and none before 4 has room for frames behind a blade and repeated views.
SCHEMA_VERSION = 4
CHAINED_SINCE = 3
NEW_KINDS_SINCE = 4
READABLE = (1, 2, 3, SCHEMA_VERSION)


def _among(kinds: type[StrEnum]) -> str:
    """The members of an enumeration as SQL."""
    return f"({', '.join(repr(str(kind)) for kind in kinds)})"


_TABLES = f"""
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL, recipe_name TEXT NOT NULL, recipe_sha256 TEXT NOT NULL,
    backend TEXT NOT NULL, simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)), started_utc TEXT NOT NULL
);
CREATE TABLE planned_frame (
    frame_id TEXT PRIMARY KEY NOT NULL CHECK (frame_id <> ''),
    stage TEXT NOT NULL CHECK (stage <> ''), roi TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN {_among(FrameKind)}), number INTEGER NOT NULL,
    x_um REAL NOT NULL, y_um REAL NOT NULL, z_um REAL NOT NULL, theta_deg REAL NOT NULL,
    exposure_s REAL NOT NULL CHECK (exposure_s > 0), binning INTEGER NOT NULL CHECK (binning >= 1)
);
CREATE INDEX planned_frame_by_roi ON planned_frame (roi, stage);
CREATE TABLE attempt (
    frame_id TEXT NOT NULL REFERENCES planned_frame, attempt INTEGER NOT NULL CHECK (attempt >= 1),
    theta_deg REAL NOT NULL, t_s REAL NOT NULL,
    PRIMARY KEY (frame_id, attempt)
);
CREATE TABLE committed (
    frame_id TEXT NOT NULL, attempt INTEGER NOT NULL,
    path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL CHECK (bytes > 0),
    rows INTEGER NOT NULL CHECK (rows > 0), columns INTEGER NOT NULL CHECK (columns > 0), dtype TEXT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    x_um REAL NOT NULL, y_um REAL NOT NULL, z_um REAL NOT NULL, theta_deg REAL NOT NULL,
    t_start_s REAL NOT NULL, t_end_s REAL NOT NULL CHECK (t_end_s >= t_start_s),
    unique_id INTEGER NOT NULL, mean_counts REAL,
    PRIMARY KEY (frame_id, attempt), FOREIGN KEY (frame_id, attempt) REFERENCES attempt
);
CREATE TABLE rejected (
    frame_id TEXT NOT NULL, attempt INTEGER NOT NULL, reason TEXT NOT NULL CHECK (reason <> ''), t_s REAL NOT NULL,
    PRIMARY KEY (frame_id, attempt), FOREIGN KEY (frame_id, attempt) REFERENCES attempt
);
CREATE TABLE missing (
    frame_id TEXT PRIMARY KEY NOT NULL REFERENCES planned_frame,
    reason TEXT NOT NULL CHECK (reason <> ''), t_s REAL NOT NULL
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, t_s REAL NOT NULL, utc TEXT,
    level TEXT NOT NULL CHECK (level IN {_among(Level)}),
    kind TEXT NOT NULL, text TEXT NOT NULL, data TEXT NOT NULL
);
CREATE TABLE artifact (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    bytes INTEGER NOT NULL CHECK (bytes >= 0), kind TEXT NOT NULL, roi TEXT NOT NULL, t_s REAL NOT NULL,
    inputs TEXT NOT NULL
);
CREATE TABLE roi_state (
    id INTEGER PRIMARY KEY, roi TEXT NOT NULL CHECK (roi <> ''),
    state TEXT NOT NULL CHECK (state IN {_among(RoiState)}), reason TEXT NOT NULL,
    t_s REAL NOT NULL, utc TEXT
);
CREATE TABLE run_state (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN {_among(RunState)}), reason TEXT NOT NULL, t_s REAL NOT NULL, utc TEXT
);
CREATE TABLE chain (
    id INTEGER PRIMARY KEY, of_table TEXT NOT NULL, row INTEGER NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), UNIQUE (of_table, row)
);
CREATE VIEW kept AS
    SELECT committed.* FROM committed
    WHERE NOT EXISTS (SELECT 1 FROM rejected AS r
                      WHERE r.frame_id = committed.frame_id AND r.attempt = committed.attempt);
CREATE VIEW outcome AS
    SELECT p.frame_id, p.stage, p.roi, p.kind, p.number,
           CASE WHEN kept.attempt IS NOT NULL THEN '{FrameOutcome.KEPT}'
                WHEN missing.frame_id IS NOT NULL THEN '{FrameOutcome.MISSING}'
                ELSE '{FrameOutcome.OPEN}' END AS outcome,
           kept.attempt AS kept_attempt, missing.reason AS reason,
           (SELECT count(*) FROM rejected AS r WHERE r.frame_id = p.frame_id) AS rejected
    FROM planned_frame AS p
    LEFT JOIN kept ON kept.frame_id = p.frame_id
    LEFT JOIN missing ON missing.frame_id = p.frame_id;
"""

_RULES = (
    (
        "attempt",
        "EXISTS (SELECT 1 FROM missing WHERE frame_id = NEW.frame_id)",
        "the frame is declared missing and cannot be attempted",
    ),
    (
        "attempt",
        "NEW.attempt <> 1 + (SELECT count(*) FROM attempt WHERE frame_id = NEW.frame_id)",
        "attempts of a frame are numbered 1, 2, 3 ...",
    ),
    (
        "attempt",
        "(SELECT count(*) FROM attempt WHERE frame_id = NEW.frame_id)"
        " <> (SELECT count(*) FROM rejected WHERE frame_id = NEW.frame_id)",
        "the last attempt of the frame is neither rejected nor given up: retake it first",
    ),
    (
        "committed",
        "EXISTS (SELECT 1 FROM rejected WHERE frame_id = NEW.frame_id AND attempt = NEW.attempt)",
        "the attempt is rejected already and cannot be committed",
    ),
    (
        "rejected",
        "EXISTS (SELECT 1 FROM missing WHERE frame_id = NEW.frame_id)",
        "the frame is declared missing already",
    ),
    (
        "missing",
        "(SELECT count(*) FROM attempt WHERE frame_id = NEW.frame_id)"
        " <> (SELECT count(*) FROM rejected WHERE frame_id = NEW.frame_id)",
        "the frame has an attempt that is not rejected: it is not missing",
    ),
    (
        "run_state",
        f"NEW.state = '{RunState.DONE}' AND EXISTS (SELECT 1 FROM outcome WHERE outcome = '{FrameOutcome.OPEN}')",
        "a run cannot be done while planned frames have no outcome",
    ),
)

TABLES = (
    "run",
    "planned_frame",
    "attempt",
    "committed",
    "rejected",
    "missing",
    "event",
    "artifact",
    "roi_state",
    "run_state",
)
"""What is told; each row of these has its link in the chain (see `storage.chain`)."""
CHAIN = "chain"


_VERBS = ("UPDATE", "DELETE")


def _only_add(table: str, verb: str) -> str:
    return f"only_add_{table}_{verb.lower()}"


def expected_rules(*, chained: bool) -> tuple[str, ...]:
    """Names of the rules that keep a journal from being changed; `chained`: of a version with a chain."""
    tables = (*TABLES, CHAIN) if chained else TABLES
    return (
        *(f"rule_{number}" for number in range(len(_RULES))),
        *(_only_add(table, verb) for table in tables for verb in _VERBS),
    )


def schema_statements() -> list[str]:
    """The statements that make an empty journal, in order."""
    statements = [text.strip() for text in _TABLES.split(";\n") if text.strip()]
    for number, (table, condition, message) in enumerate(_RULES):
        statements.append(
            f"CREATE TRIGGER rule_{number} BEFORE INSERT ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
    for table in (*TABLES, CHAIN):
        for verb in _VERBS:
            statements.append(
                f"CREATE TRIGGER {_only_add(table, verb)} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'the journal is only ever added to'); END"
            )
    statements.append(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return statements
