"""Pictures, folders, videos and buckets: find the faces, hide them, check, write, and keep a record of it."""
