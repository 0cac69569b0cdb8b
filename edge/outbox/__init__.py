"""Event messages on disk until the broker has acknowledged them: the file, its limits and what is counted when messages are lost."""
