"""Speed, as ratios measured in one run on the same arrays against named peers. `make bench` runs all."""
