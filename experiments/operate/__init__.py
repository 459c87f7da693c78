"""Steps of procedures on a real system: what each verb does there, and how a run waits and looks."""
