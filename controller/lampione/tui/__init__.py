"""The screen: live views on Line-API widgets, fed by a thread; it owns no logic."""
