"""What AWS offers; knows nothing of GitHub."""
