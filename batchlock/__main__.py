"""`python -m batchlock`, for where the script is not on the path."""

from batchlock.cli import main

if __name__ == "__main__":
    main()
