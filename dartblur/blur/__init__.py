"""What hides a face: one file an anonymiser, one protocol, and the U-Net of DartBlur."""
