"""What a newcomer types first, and what the check says of it: where, which value, what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from xrm_control import app
from xrm_control.core.errors import RecipeError, SafetyRefusal

PARTS = {"name": "name: a", "roi": "roi: {kind: grid}", "instrument": "instrument: {backend: simulated}"}

# What stands in the fourth line (or replaces a part), and what is said of it.
MISTAKES: list[tuple[str, str]] = [
    ("scan: {exposure_s: 1s}", "scan.exposure_s: expected a number, got the text '1s'; write 1 (exposure_s is in s)"),
    ("scan: {exposure_s: 500 ms}", "write 0.5 (exposure_s is in s)"),
    ("scan: {exposure_s: 1,5}", "a comma in a number? it takes a point"),
    ("scan: {exposure_s: '1,5'}", "write 1.5 with a point, not a comma"),
    ("scan: {exposure_s: -1}", "must be more than 0 s, got -1"),
    ("scan: {exposure_s: .nan}", "must be a finite number, got nan"),
    ("scan: {exposure_s: .inf}", "must be a finite number, got inf"),
    ("scan: {exposure_s: }", "expected a number, got nothing"),
    ("scan: {exposure_s: [1]}", "expected a number, got a list of 1"),
    ("scan: {exposure_s: true}", "expected a number, got true"),
    ("scan: {exposure: 1}", "did you mean 'exposure_s' (in s)?"),
    ("scan: {exposure_ms: 500}", "500 ms is 0.5 s"),
    ("scan: {Exposure_s: 1}", "did you mean 'exposure_s' (in s)? (known"),
    ("scan: {binning: 16}", "scan.binning: expected 1, 2, 4 or 8, got the number 16"),
    ("scan: {binning: '8'}", "got the text '8'; write 8 without quotes"),
    ("scan: {binning: 8, binning: 4}", "scan.binning: is given twice; first in line 4"),
    ("scan: fast", "scan: expected a group of keys, got the text 'fast'"),
    ("scan:\n\tbinning: 8", ":5: a tab stands here; YAML wants spaces"),
    ("scan:\n  binning: 8\n binning: 4", ":6: the indentation does not fit"),
    ("scan: {binning: 8}}", "a closing } too many"),
    ("- scan", "an item of a list ('- ...') stands among keys"),
    ("scna: {binning: 8}", "scna: unknown key; did you mean 'scan'?"),
    ("scan: {projections: full}", "expected 'auto' or a whole number, got the text 'full'"),
    ("scan: {projections: 141.5}", "write 142"),
    ("scan: {projections: '1e3'}", "got the text '1e3'; write 1000 without quotes"),
    ("scan: {start_deg: 90, end_deg: -90}", "start_deg (90) must be below end_deg (-90); exchange them?"),
    ("scan: {start_deg: -90°}", "write -90 (start_deg is in degrees)"),
    ("scan: {order: random}", "(kinds: interlaced, sequential)"),
    ("scan: {order: {kind: golden}}", "scan.order.kind: unknown kind 'golden'"),
    ("scan: {references: before}", "write {kind: before}"),
    ("scan: {references: {kind: every, interval: 0}}", "scan.references.interval: must be at least 1, got 0"),
    ("scan: {moved_allowed_um: 0.005}", "sound regions would be set aside"),
    (
        "sample: {formula: NMC811}",
        "'M' is no element of the tables (value 'NMC811') -> write it as LiNi0.8Mn0.1Co0.1O2",
    ),
    ("sample: {formula: LiNi0,8O2}", "sample.8O2: unknown key; a comma in front of it? a number takes a point"),
    ("sample: {formula: lini0.8o2}", "'l' at character 1 is no element"),
    ("sample: {density_g_cm3: 4780}", "sample.density_g_cm3: must be at most 25 g/cm^3, got 4780"),
    ("sample: {density: 4.78}", "did you mean 'density_g_cm3' (in g/cm^3)?"),
    ("sample: {strip_width_mm: 0.32}", "0.32 mm is 320 um"),
    ("sample: {name: ''}", "must have at least 1 character, got 0"),
    (r'sample: {name: "a\0b"}', "sample.name: must be one line of text, without control characters"),
    (r'sample: {name: "a\nb"}', "sample.name: must be one line of text, without control characters"),
    (
        "specification: [{quantity: voided_shares, at_most: 0.2}]",
        "specification.0.quantity: no such quantity of the population (value voided_shares",
    ),
    ("specification: [{quantity: voided_share, at_most: 20}]", "give a share, 0.2 for 20 %"),
    ("specification: [{quantity: Dv50_um, between: [11, 9]}]", "no lot can lie between these limits"),
    ("specification: [{quantity: Dv50_um}]", "give at_most, at_least, or between: [lower, upper]"),
    ("mosaic: {columns: 0}", "mosaic.columns: must be at least 1, got 0"),
    ("mosaic: {overlap_percent: 60}", "must be at most 50 percent, got 60"),
    ("reconstruction: {method: fbp}", "write {kind: fbp}"),
    ("reconstruction: {method: {kind: art}}", "(kinds: cgls, fbp, fourier, sirt, tv)"),
    ("reconstruction: {method: {kind: fourier, filter: hanning}}", "did you mean 'hann'?"),
    ("reconstruction: {rows: 5}", "expected a list, got the number 5; write 2 values"),
    ("reconstruction: {rows: [5]}", "reconstruction.rows[1]: is missing: 2 values are wanted"),
    ("reconstruction: {rotation_axis: middle}", "expected 'auto' or a number, got the text 'middle'"),
    ("analysis: {threshold: otsu}", "write {kind: otsu}"),
    ("analysis: {threshold: {kind: fixed}}", "analysis.threshold.level_per_um: is missing (in 1/um)"),
    ("handoff: {command: python}", "expected a list, got the text 'python'; write [python]"),
    ("handoff: {timeout: 5}", "did you mean 'timeout_s' (in s)?"),
    ("compute: {workers: 4}", "compute: needs a 'kind' (kinds: dask, inline, processes)"),
    ("compute: {kind: dask, scheduler: localhost:8786}", "looks like tcp://host:8786"),
    ("safety: {x_um: 100}", "write 2 values"),
    ("output: {volume_16bit: yes}", "older YAML reads yes as true"),
    ("retry: {beam_wait_s: 4e9}", "retry.beam_wait_s: must be at most 2678400 s"),
    ("version: 2", "version: expected 1, got the number 2"),
    ("name: mein Rezept", "name: must be up to 60 letters, digits, - and _, got the text 'mein Rezept'"),
    ("µ: 1", "µ: unknown key"),
    ("scan: *x", "the alias *x names no anchor"),
    ("scan: !!python/object:os.system {}", "tags (tag:yaml.org,2002:python/object:os.sy...) are not accepted"),
    ("---", "a second document starts here"),
    ("instrument: {backend: zeiss}", "unknown backend 'zeiss'"),
    ("instrument: {seed: 1}", "instrument: needs a 'backend' (backends: epics, rehearsal, simulated)"),
    (
        "instrument: {backend: simulated, specimen: nmc532}",
        "'lfp', 'silicon', 'metal' or 'empty'",
    ),
    ("roi: most_particles", "write {kind: most_particles}"),
    ("roi: {kind: manual}", "roi.positions: is missing"),
    ("roi: {kind: manual, positions: []}", "must have at least 1 item, got 0"),
    ("roi: {kind: manual, positions: [{x: 1, y: 2}]}", "did you mean 'x_um' (in um)?"),
    ("roi: {kind: manual, positions: [[1, 2]]}", "roi.positions[0]: expected a group of keys, got a list of 2"),
    ("roi: {kind: grid, count: 3}", "roi.count: unknown key"),
]


def recipe(line: str) -> str:
    """A recipe with that line, in place of the part it names."""
    parts = [text for key, text in PARTS.items() if not line.startswith(f"{key}:")]
    return "\n".join([*parts, line, ""])


@pytest.mark.parametrize(("line", "said"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_where_it_is_with_what_is_right(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(recipe(line), encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        app.check(app.load(path))
    message = str(caught.value)
    assert said in message, message
    assert message.startswith(f"{path}:")
    assert "no such file" not in message  # nobody asked for a map of PVs


def test_limits_the_wrong_way_round(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(recipe("safety: {x_um: [100, -100]}"), encoding="utf-8")
    with pytest.raises(SafetyRefusal, match=r":4: safety.x_um: the lower limit must be below.*write \[-100, 100\]"):
        app.check(app.load(path))


DOUBTED = [
    ("mosaic: {overlap_percent: 0.1}", "is a fraction meant?"),
    ("scan: {missing_allowed_percent: 0.02}", "is a fraction meant?"),
    ("retry: {beam_wait_s: 4}", "over before anybody looks again"),
]


@pytest.mark.parametrize(("line", "said"), DOUBTED)
def test_what_may_be_meant_otherwise_is_asked(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(recipe(line), encoding="utf-8")
    (warning,) = app.check(app.load(path)).warnings
    assert said in warning.message()
    assert warning.where.startswith(f"{path}:4: ")
