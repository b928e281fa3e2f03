"""The message bus: events on the JetStream stream EV, prices on PX, request and reply, all over NATS."""
