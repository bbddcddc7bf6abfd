"""What real shops have and even shoppers have not: seasons, novelty, bots."""
