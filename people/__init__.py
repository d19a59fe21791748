"""Offline generator of sprites (people, places, props) with Blender as a module; it never imports `dartblur`, which only reads its pictures."""
