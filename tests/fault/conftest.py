"""The fixtures and options of the end-to-end tests serve the fault tests as well."""

import importlib.util
import os

E2E = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "conftest.py")
spec = importlib.util.spec_from_file_location("e2e_conftest", E2E)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update({name: value for name, value in vars(module).items() if not name.startswith("__")})
