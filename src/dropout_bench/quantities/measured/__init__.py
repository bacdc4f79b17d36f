"""What is measured of a trained network. A file's name is what an experiment asks for."""
