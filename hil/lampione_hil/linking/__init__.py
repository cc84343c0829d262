"""From the firmware's sources to what a board holds: cut (`slim`), linked to few files (`link`)."""
