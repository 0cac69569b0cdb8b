"""A CNN14 checkpoint becomes a streaming ONNX graph, then int8, behind a parity gate. The home of torch, imported only when used."""
