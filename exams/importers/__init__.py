"""Question banks from the formats that teachers have: one small file a format, `base.py` chooses."""
