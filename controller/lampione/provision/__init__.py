"""From a bare board to a node of the fleet: identity, firmware, sign-off, record, label."""
