"""The routes' views, by what they show."""
