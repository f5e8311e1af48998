"""A run as a page: the factory graph, and the tape to play."""
