"""The page that shows machines and their events: a subscriber with a history, which talks MQTT and files only."""
