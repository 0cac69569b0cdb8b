"""MQTT device discovery for Home Assistant. Imported only if it is enabled, or was."""
