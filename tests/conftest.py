"""What holds for all tests."""

from hypothesis import settings

# No test fails by how busy its machine is, nor by what chance found in one run of many: new cases
# are looked for by `make torture`.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("searching", deadline=None)
settings.load_profile("steady")
