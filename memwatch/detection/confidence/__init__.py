"""How sure a verdict is: its probability, and how good earlier verdicts were."""
