"""The nouns of slo_guard and the ports through which they leave the process: no I/O here."""
