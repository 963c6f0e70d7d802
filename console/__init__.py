"""The face: the `sereno` command."""
