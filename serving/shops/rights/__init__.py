"""Who looked at shoppers' data, what became of erasures, and a shopper's data for the shopper."""
