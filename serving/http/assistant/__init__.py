"""The door for assistants: an MCP server whose tools are the ranking endpoints."""
