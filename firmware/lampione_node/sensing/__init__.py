"""From samples to quantities: no pins, no clock, no network."""
