"""The HIL engine: pytest on a rig's boards, with measurements, reports and a release verdict."""
