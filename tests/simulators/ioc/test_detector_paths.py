from pathlib import Path

import pytest

from simulators.ioc.detector_paths import exists, file_name, make_folders


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%s%s_%6.6d.h5", "/data/scan_000042.h5"),
        ("%s%s_%3.3d.h5", "/data/scan_042.h5"),
        ("%s%s%d.h5", "/data/scan42.h5"),
        ("%s%s.h5", "/data/scan.h5"),
    ],
)
def test_templates_are_those_of_c(template: str, expected: str) -> None:
    assert file_name(template, "/data/", "scan", 42) == expected


@pytest.mark.parametrize("template", ["%d%s_%s.h5", "%s%s%s%s%d", "%s" + 300 * "x"])
def test_templates_that_do_not_fit(template: str) -> None:
    with pytest.raises(ValueError):
        file_name(template, "/data/", "scan", 42)


@pytest.mark.parametrize(("depth", "made"), [(0, False), (-1, False), (-2, True), (-9, True), (1, True), (99, False)])
def test_missing_folders(tmp_path: Path, depth: int, made: bool) -> None:
    """Two are missing; a positive depth says how many must be there already."""
    path = tmp_path / "a" / "b"
    make_folders(f"{path}/", depth)
    assert exists(str(path)) == made
    assert not exists("")
