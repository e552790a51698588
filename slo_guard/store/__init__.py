"""The store: readings, alerts, transitions and the outbox, in SQL."""
