"""The second ARI application: hunt groups that we ring and bridge ourselves. It knows nothing of the recorder."""
