"""What is kept between two commands: the journals of runs, the history, the lock of an org."""
