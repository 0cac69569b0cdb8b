"""The daemon: sound in, scores and events out over MQTT. numpy, onnxruntime, faiss and paho; never torch, never another room.

pipeline.py    the whole flow in one place; the packages below are its parts, in order
sources        microphones, files, standard input
audio          sound as samples: files, channels, resampling, level, gaps
features       log-mel, level and backbone: samples become features
detectors      features become surprise per cell
judgement      surprise becomes windows with a score, regions and events
node, mqtt     the daemon around it, and how it is heard
bundles        the file with everything that one source needs; model.py is one that is loaded
config         config.yaml
console        what all commands share; the commands themselves are in `commands`
"""
