"""What a user brings, beside what is known: a layer of one's own, or one's own data."""
