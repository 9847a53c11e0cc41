"""What an offer did: who was active before, during and after it, beside those who could not have it. Estimates, no money."""
