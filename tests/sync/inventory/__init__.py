"""Tests of what the directory says becoming rows, without Graph."""
