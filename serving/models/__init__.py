"""The model server as serving sees it: contract, client, batches, and what guards a call."""
