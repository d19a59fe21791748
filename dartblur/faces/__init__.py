"""What a face data set is: boxes, annotation formats, the data set on disk, and its validation."""
