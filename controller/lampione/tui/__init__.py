"""The screen: live views on Line-API widgets over a desk; it owns no logic and opens nothing."""
