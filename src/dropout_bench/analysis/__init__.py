"""What the tables say: intervals, comparisons, claims. Tables in, tables out; never torch."""
