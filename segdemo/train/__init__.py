"""Training of the networks: data, recipes, and ``python -m segdemo.train``."""
