"""Everything that TensorBoard shows, as event files: of the tables, of a training under way."""
