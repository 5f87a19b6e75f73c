"""What is unusual: a worker unlike its siblings, a service unlike its own hour of the week, a change at a deploy.

Hints, and never alone the ground for an alert. All of it is a pure function of figures and of what was kept from the
passes before, which is small and plain JSON.
"""
