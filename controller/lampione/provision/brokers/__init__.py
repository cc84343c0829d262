"""Configurations of brokers that a city runs: NATS in a cluster, mosquitto. docs/brokers.md."""
