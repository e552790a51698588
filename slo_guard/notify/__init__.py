"""Telling people: what to tell whom and why (pure), delivery, one file a receiver."""
