"""What runs inside the testbed's containers: one image, `python -m system ROLE`; imports nothing of the project."""
