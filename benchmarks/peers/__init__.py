"""What batchlock is measured beside: each module is a whole program of its own."""
