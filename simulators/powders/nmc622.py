"""LiNi0.6Mn0.2Co0.2O2: sizes and voids of Heenan and others, Advanced Science 2020 (55 % hold a void of 2.4 um)."""

from simulators.populations import LogNormal, VoidPopulation
from simulators.powders.base import Powder

POWDER = Powder("nmc622", LogNormal(5.835, 0.43, 1.6, 25.0), 143.0, VoidPopulation(), ideal=True)
