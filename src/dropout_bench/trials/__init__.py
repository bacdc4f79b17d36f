"""What comes from outside: a layer, or a variant, beside what is known of dropout here."""
