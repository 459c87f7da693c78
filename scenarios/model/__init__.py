"""What a person writes: scenario, topology, workload, procedures, objectives. Frozen, with units."""
