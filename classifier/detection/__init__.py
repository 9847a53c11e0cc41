"""Floor 4: flows to applications. The verdict itself is a kernel; here is what it means, and its help from outside."""
