"""Cases of a log and the slates made of them."""
