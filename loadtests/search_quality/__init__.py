"""Does search return what was asked? Judged queries, asked of a running stack over HTTP."""
