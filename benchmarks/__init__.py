"""Measure speed and memory of batchlock beside other programs: `python -m benchmarks`."""
