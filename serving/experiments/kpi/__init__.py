"""What placements earn: their KPIs, counted from the shop's own log."""
