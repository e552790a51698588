"""Rule files: parsed with positions, validated all at once, turned into KPIs."""
