"""What somebody may be about to type: phrases of titles, categories, brands and items."""
