"""The papers' tables: the published figures, ours beside them, and how a table is printed."""
