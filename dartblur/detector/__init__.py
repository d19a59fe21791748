"""RetinaFace in plain torch: network, anchors, loss, decoding, views of pictures, training."""
