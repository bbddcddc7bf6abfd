"""What a shop has already: product feeds and event exports of other systems, read as a data set."""
