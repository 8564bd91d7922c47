"""Four eyes: one person asks for a start, and another one approves it or sends it back."""
