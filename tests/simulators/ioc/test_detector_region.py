import numpy as np
import pytest

from simulators.ioc.detector_region import Region, crop

WHOLE = {"BinX": 1, "BinY": 1, "MinX": 0, "MinY": 0, "SizeX": 1024, "SizeY": 1024}


@pytest.mark.parametrize(
    ("wishes", "changed"),
    [
        ({}, {}),
        ({"BinX": 8}, {"BinX": 8, "BinY": 8}),
        ({"BinY": 4}, {"BinX": 4, "BinY": 4}),
        ({"BinX": 3}, {"BinX": 2, "BinY": 2}),
        ({"BinX": 64}, {"BinX": 8, "BinY": 8}),
        ({"BinX": 0}, {}),
        ({"MinX": 24}, {"MinX": 24, "SizeX": 1000}),
        ({"MinX": -5, "SizeX": 100}, {"SizeX": 100}),
        ({"MinY": 5000}, {"MinY": 1023, "SizeY": 1}),
        ({"SizeX": 0, "SizeY": -3}, {"SizeX": 1, "SizeY": 1}),
        ({"BinX": 8, "MinX": 13, "SizeX": 103}, {"BinX": 8, "BinY": 8, "MinX": 8, "SizeX": 96}),
        ({"BinX": 8, "MinX": 1020}, {"BinX": 8, "BinY": 8, "MinX": 1016, "SizeX": 8}),
        ({"SizeX": 800, "MinX": 500, "MinY": 0}, {"MinX": 500, "SizeX": 524}),
    ],
)
def test_what_the_sensor_makes_of_a_wish(wishes: dict[str, int], changed: dict[str, int]) -> None:
    region = Region(1024, 1024, (1, 2, 4, 8))
    for name, value in wishes.items():
        region.want(name, value)
    assert region.used == {**WHOLE, **changed}


def test_a_wish_out_of_reach_comes_true_later() -> None:
    region = Region(1024, 1024, (1, 2, 4, 8))
    region.want("MinX", 800)
    region.want("SizeX", 512)
    assert region.used["SizeX"] == 224
    region.want("MinX", 100)
    assert (region.used["MinX"], region.used["SizeX"]) == (100, 512)


def test_cut_out_and_turned() -> None:
    image = np.arange(16 * 16).reshape(16, 16)
    region = {"BinX": 2, "BinY": 2, "MinX": 4, "MinY": 8, "SizeX": 6, "SizeY": 4}
    assert np.array_equal(crop(image, region), image[4:6, 2:5])
    assert np.array_equal(crop(image, region, reverse_x=True), image[4:6, 4:1:-1])
    assert np.array_equal(crop(image, region, reverse_y=True), image[5:3:-1, 2:5])
    assert crop(image[:5], region).shape == (1, 3), "a frame that came too short stays too short"
