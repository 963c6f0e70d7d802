"""One remediator a file, found by being there: a module here that defines `REMEDIATOR` is a remediator."""
