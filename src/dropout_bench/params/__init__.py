"""``params.yaml`` as typed, validated values; an experiment expands into its runs."""
