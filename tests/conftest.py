"""What all tests share: how hypothesis looks for counterexamples."""

import os

from hypothesis import HealthCheck, settings

# The same examples on every run, so that a red build is never chance. `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
