"""config.yaml: strict YAML, frozen structs, and one line for whatever is wrong."""
