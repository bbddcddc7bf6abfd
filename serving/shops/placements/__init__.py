"""Named places of a storefront and pages made of them, as the merchandiser declares them."""
