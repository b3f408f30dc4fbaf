"""The tests in levels: unit mirrors the packages, house watches the source, others run whole programs."""
