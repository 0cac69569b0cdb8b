"""A CNN14 checkpoint becomes a streaming ONNX graph, then int8, behind a parity gate. The home of torch, which is imported only when used."""
