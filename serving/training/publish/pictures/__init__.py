"""The encoder of pictures: its package's weights to ONNX, int8, without torch."""
