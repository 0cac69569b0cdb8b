"""config.yaml: strict YAML, frozen structs, and one clear line for each mistake."""
