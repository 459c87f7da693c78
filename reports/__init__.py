"""Reports for terminal, browser, CI and auditor."""
