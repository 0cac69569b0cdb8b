"""Home Assistant finds the node by itself: MQTT device discovery. Imported only where it is, or was, enabled."""
