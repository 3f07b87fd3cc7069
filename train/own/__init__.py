"""Own words: a small head on a frozen backbone, fitted to a few recordings without TensorFlow."""
