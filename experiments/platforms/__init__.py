"""The programs and interfaces that a real system is reached by: Docker, kind, Kubernetes."""
