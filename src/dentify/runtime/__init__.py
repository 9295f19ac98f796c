"""From a photo to what the networks say of it: preprocessing, ONNX sessions, and decoders of their outputs.

Coordinates of a network's input or output never leave this room.
"""
