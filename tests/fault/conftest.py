"""The fixtures and options of the end-to-end tests serve the fault tests as well."""

import importlib.util
import os
import tempfile

import pytest

E2E = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "conftest.py")
spec = importlib.util.spec_from_file_location("e2e_conftest", E2E)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update({name: value for name, value in vars(module).items() if not name.startswith("__")})
from scripted.site import finish_site, start_site  # needs the path of the end-to-end tests


@pytest.fixture
def scripted_site(base, programs, contract, issuer):
    """make(...) -> a Site with the scripted Slurm; see scripted/site.py for the arguments."""
    made = []

    def make(**more):
        made.append(start_site(tempfile.mkdtemp(prefix="s", dir=base), (programs, contract, issuer), **more))
        return made[-1]

    yield make
    for site in made:
        finish_site(site)
