"""Many services in one account: they surge together under the limits that they share."""
