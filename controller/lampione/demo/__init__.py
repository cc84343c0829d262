"""Virtual lampposts, broker, controller and screen in one command; all ends with it."""
