"""The chart on a real cluster: installed, loaded, upgraded, drained, broken and removed."""
