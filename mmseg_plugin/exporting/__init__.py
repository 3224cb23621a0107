"""Trained models as ONNX files that other programs run."""
