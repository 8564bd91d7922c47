"""Values, errors, cancellation and the observer of a run. Imports nothing else of batchlock."""
