"""The daemon: sound in, scores and events out over MQTT. numpy, onnxruntime, faiss and paho; never torch, never another room."""
