"""The notifier: from the messages on the topic to what people read, in Slack, PagerDuty, email and OpsCenter."""
