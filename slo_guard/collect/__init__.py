"""Collectors: one file a source, each keeping the Collector port."""
