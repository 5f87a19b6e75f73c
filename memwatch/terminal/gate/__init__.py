"""The gate for staging: drive a site, then pass or fail by what its agents reported."""
