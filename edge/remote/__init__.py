"""Commands over MQTT: what may be asked of the node, what it answers, and what it keeps for that."""
