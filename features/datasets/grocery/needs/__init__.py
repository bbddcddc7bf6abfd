"""What shoppers ask a grocery shop for, and the product types that answer it."""
