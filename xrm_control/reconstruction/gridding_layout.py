"""Sizes that `gridding` and its compiled loops share."""

ROWS = 16  # slices that travel together, two and two as real and imaginary part
WIDTH = 5  # cells that a point is shared out to, each way
DEGREE = 7  # of the polynomials that stand for the kernel
SLOTS = 8  # weights kept for each point and way, a round number
MARGIN = 4  # cells beyond the grid on each side, which belong to the opposite side
