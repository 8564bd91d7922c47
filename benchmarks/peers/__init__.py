"""The programs that batchlock is compared with: each module is a complete program."""
