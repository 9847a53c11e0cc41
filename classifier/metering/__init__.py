"""Floor 3: frames to flows to usage per subscriber. Owns the tables; its clock is packet time."""
