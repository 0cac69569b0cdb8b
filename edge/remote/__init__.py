"""Commands over MQTT: the requests that a node accepts, its answers, and what it stores for them."""
