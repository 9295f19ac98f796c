"""What is fitted to labelled photos after training, without PyTorch: scorer, confidences, thresholds, gates of a bundle."""
