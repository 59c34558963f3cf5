"""Routing strategies: round-robin, weighted, latency, cost, sticky, hedged, cascade."""
