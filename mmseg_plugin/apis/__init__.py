"""What a user calls: predictors, tiles, runs and ground truth of images."""
