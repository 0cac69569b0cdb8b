"""The sound of events, kept as files on the node."""
