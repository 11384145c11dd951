"""What portfolios did over time: read from vectors, computed afresh at each request, never
stored.
"""
