"""A CNN14 checkpoint becomes a streaming ONNX graph, then int8, behind a parity gate. Only this room imports torch, only when needed."""
