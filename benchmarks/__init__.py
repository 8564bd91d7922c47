"""How fast batchlock is, and how small, beside what else there is: `python -m benchmarks`."""
