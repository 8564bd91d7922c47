"""Nights of `batchlock inbox` with every kind of fault, each row compared with the stand-in."""
