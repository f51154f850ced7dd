"""Decision records: written, never guessed."""
