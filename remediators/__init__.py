"""What to do: the Lambda entry, the executor, the ledger, the round, the outbox and the actions."""
