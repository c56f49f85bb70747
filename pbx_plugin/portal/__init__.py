"""The portal: what people do with recordings in a browser."""
