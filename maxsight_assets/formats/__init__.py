"""Publishers' annotation files, to and from the one table model."""
