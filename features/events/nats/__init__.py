"""The event log in NATS JetStream: files of a server or of three, apart from Redis's memory."""
