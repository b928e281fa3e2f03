"""NATS JetStream: streams, publishing, consuming, request and reply."""
