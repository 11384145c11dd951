"""Reports about portfolios. They are calculated at each request from arrays, and never stored."""
