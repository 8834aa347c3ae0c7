"""Real servers on loopback, started by the tests: one whose answers a test scripts, and programs such as nginx."""
