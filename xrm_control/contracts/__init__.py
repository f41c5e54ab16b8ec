"""Models of every file that two rooms share: one version, one writer and one reader each."""
