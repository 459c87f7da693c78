"""Validators: record -> measurement -> verdict. They cannot see which world a record came from."""
