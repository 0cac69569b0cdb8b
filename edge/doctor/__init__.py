"""What `auscult doctor` looks at: one file for each kind of problem that a node can have."""
