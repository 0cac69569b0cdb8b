"""What `auscult doctor` looks at: one file for each kind of trouble that a node can have."""
