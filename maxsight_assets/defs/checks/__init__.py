"""Asset checks: the rules of verification, asked of what is published."""
