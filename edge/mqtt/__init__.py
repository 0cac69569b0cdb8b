"""Topics, payloads and the connection that carries them."""
