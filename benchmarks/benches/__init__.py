"""One bench a file, found by being there: `run(size)` answers its rows."""
