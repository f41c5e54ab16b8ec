"""Whether a region's numbers are to be believed: checks on what a run has already, each in a file of its own."""
