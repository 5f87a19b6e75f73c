"""Which numbers keep the memory of a service below its target: pure functions of its stored lives.

``advise`` goes from a :class:`memwatch.recommendations.facts.Service` to rows of settings, findings, the calculation
line by line, and a simulated week. It knows neither Django nor the database.
"""

from memwatch.recommendations.advice import Advice, Setting, advise

__all__ = ["Advice", "Setting", "advise"]
