"""Tests of sync, file by file, without a network."""
