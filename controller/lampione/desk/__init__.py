"""What a front end holds of a controller: its fleet, its alarms, and answers; without a screen."""
