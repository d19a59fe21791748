"""Sample people: scenes with exact boxes, composited from sprites of people that do not exist."""
